#include "app/process/process.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <csignal>
#include <future>
#include <gmock/gmock.h>
#include <new>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>
#include <sstream>
#include <thread>

#include "app/process/graceful_stop.h"

namespace dwell {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A port that was free a moment ago.
std::uint16_t free_port() {
  asio::io_context context;
  tcp::acceptor acceptor(context, {asio::ip::make_address("127.0.0.1"), 0});
  return acceptor.local_endpoint().port();
}

// A stream without end, of pieces that are larger than what a socket holds.
asio::awaitable<Routed> endless(Request) {
  Reply reply;
  reply.body = "first";
  reply.more = [](std::string& out) -> asio::awaitable<Result<bool>> {
    out.assign(1 << 20, 'x');
    co_return true;
  };
  co_return Routed("/endless", std::move(reply));
}

enum class Connection { none, idle, kept_alive, streaming, half_a_request };

// The process of one role, and one client that is connected when the role ends.
class ProcessTest : public testing::TestWithParam<Connection> {
 protected:
  void SetUp() override {
    auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(log_);
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("test", sink));
  }

  // What run() returns when the role ends with `ending` while the client is connected.
  Result<void> run(const std::function<Result<void>()>& ending) {
    std::promise<void> may_end;
    Config config;
    Process process(config, "dwell test");
    process.add("", [&, goes_on = may_end.get_future().share()](const std::stop_token&) {
      goes_on.wait();
      return ending();
    });
    // One that is asked to stop and ends well.
    process.add("", [](const std::stop_token& stop) -> Result<void> {
      while (!stop.stop_requested()) std::this_thread::yield();
      return {};
    });
    if (GetParam() == Connection::streaming) process.answer_with(endless);
    const auto port = free_port();
    auto outcome = std::async(std::launch::async, [&] {
      HeldSignals signals;
      return process.run(fmt::format("127.0.0.1:{}", port), signals);
    });
    tcp::socket socket(client_);
    if (GetParam() != Connection::none) connect(socket, port);
    may_end.set_value();
    auto ended = outcome.get();
    call_off_end();
    return ended;
  }

  void connect(tcp::socket& socket, std::uint16_t port) {
    boost::system::error_code error;
    do {
      socket.close();
      socket.connect({asio::ip::make_address("127.0.0.1"), port}, error);
    } while (error);
    if (GetParam() == Connection::half_a_request) {
      asio::write(socket, asio::buffer(std::string("GET /livez HTTP/1.1\r\nHos")));
    }
    if (GetParam() != Connection::kept_alive && GetParam() != Connection::streaming) {
      // A second connection, answered, shows that the first one was accepted.
      tcp::socket other(client_);
      other.connect({asio::ip::make_address("127.0.0.1"), port});
      ask(other);
      return;
    }
    ask(socket);
  }

  static void ask(tcp::socket& socket) {
    asio::write(socket, asio::buffer(std::string("GET /livez HTTP/1.1\r\nHost: a\r\n\r\n")));
    std::string answer;
    asio::read_until(socket, asio::dynamic_buffer(answer), "\r\n\r\n");
    EXPECT_THAT(answer, HasSubstr("HTTP/1.1 200 OK"));
  }

  std::ostringstream log_;
  asio::io_context client_;
};

INSTANTIATE_TEST_SUITE_P(Connections, ProcessTest,
                         testing::Values(Connection::none, Connection::idle, Connection::kept_alive,
                                         Connection::streaming, Connection::half_a_request));

TEST_P(ProcessTest, AnErrorEndsItInOrderAndIsTold) {
  for (const ErrorKind kind : {ErrorKind::invalid, ErrorKind::fatal, ErrorKind::lost_ownership}) {
    const auto ended = run([kind] { return Result<void>(fail(kind, "the topic is another one")); });
    ASSERT_FALSE(ended);
    EXPECT_EQ(ended.error().kind, kind);
    EXPECT_EQ(ended.error().message, "the topic is another one");
  }
  EXPECT_THAT(log_.str(), HasSubstr("the topic is another one; ending"));
}

TEST_P(ProcessTest, WhatIsThrownEndsItInOrderAndIsTold) {
  const auto ended = run([]() -> Result<void> { throw std::bad_alloc(); });
  ASSERT_FALSE(ended);
  EXPECT_THAT(ended.error().message, HasSubstr("out of memory"));
  EXPECT_THAT(log_.str(), HasSubstr("out of memory"));
  const auto other = run([]() -> Result<void> { throw std::runtime_error("no more threads"); });
  ASSERT_FALSE(other);
  EXPECT_THAT(other.error().message, HasSubstr("no more threads"));
}

// A process of which only the order of its end matters. Gives what happened.
std::vector<std::string> end_of(const RoleTask& task, const std::function<void()>& before_run) {
  std::vector<std::string> calls;
  std::thread([&] {
    HeldSignals signals;
    Config config;
    Process process(config, "dwell test");
    process.add("", [&](const std::stop_token& stop) {
      auto done = task(stop);
      calls.push_back("task ended");
      return done;
    });
    process.at_stop([&] { calls.push_back("at stop"); });
    process.when_stopped([&] { calls.push_back("when stopped"); });
    before_run();
    const auto ended = process.run("off", signals);
    calls.push_back(ended ? "well" : ended.error().message);
    call_off_end();
  }).join();
  return calls;
}

Result<void> until_stop(const std::stop_token& stop) {
  while (!stop.stop_requested()) std::this_thread::yield();
  return {};
}

// Between its first instruction and its first look at signals, too.
TEST(ProcessEnd, ASignalBeforeItRunsStopsItInOrder) {
  EXPECT_THAT(end_of(until_stop, [] { ::raise(SIGTERM); }),
              ElementsAre("at stop", "task ended", "when stopped", "well"));
}

TEST(ProcessEnd, ATaskThatEndsEndsTheProcess) {
  EXPECT_THAT(end_of([](const std::stop_token&) { return Result<void>(); }, [] {}),
              ElementsAre("task ended", "at stop", "when stopped", "well"));
}

}  // namespace
}  // namespace dwell
