// The server when memory is refused, at each allocation in turn: a connection may end for it, the
// service does not.
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <cstdlib>
#include <future>
#include <gmock/gmock.h>
#include <new>
#include <sys/socket.h>
#include <thread>
#include <utility>

#include "http/wire/server.h"
#include "tests/http/whole_body.h"

namespace {

thread_local std::size_t until_refusal = 0;  // allocations of this thread; 0: none is refused

}  // namespace

// Not inlined: the compiler would see free() of what new gave.
[[gnu::noinline]] void* operator new(std::size_t size) {
  if (until_refusal > 0 && --until_refusal == 0) throw std::bad_alloc();
  if (void* place = std::malloc(size > 0 ? size : 1)) return place;
  throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  if (until_refusal > 0 && --until_refusal == 0) return nullptr;
  return std::malloc(size > 0 ? size : 1);
}
[[gnu::noinline]] void operator delete(void* place) noexcept {
  std::free(place);
}
[[gnu::noinline]] void operator delete(void* place, std::size_t) noexcept {
  std::free(place);
}

namespace dwell {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using ::testing::StartsWith;

asio::awaitable<Routed> read_events(Request request) {
  auto events = reader_of_events();
  const bool is_whole = co_await request.receive_body(events);
  Reply reply;
  if (is_whole && events.finish()) reply.body = "OK";
  co_return Routed("/", std::move(reply));
}

class NoMemoryTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(server_.listen("127.0.0.1:0"));
    thread_ = std::jthread([this] { server_.run(); });
  }
  void TearDown() override {
    until_refusal_becomes(0);
    asio::post(context_, [this] { server_.stop(); });
    context_.stop();
  }

  // Of the server's thread; returns what it was.
  std::size_t until_refusal_becomes(std::size_t count) {
    std::promise<std::size_t> before;
    asio::post(context_, [&] { before.set_value(std::exchange(until_refusal, count)); });
    return before.get_future().get();
  }

  // What is answered to two requests, as far as it is.
  std::string ask() {
    tcp::socket socket(client_);
    boost::system::error_code error;
    const auto port = server_.address().substr(server_.address().rfind(':') + 1);
    socket.connect(
        {asio::ip::make_address("127.0.0.1"), static_cast<std::uint16_t>(std::stoi(port))});
    const timeval patience{.tv_sec = 5, .tv_usec = 0};
    ::setsockopt(socket.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    const std::string requests =
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nd\r\n{\"events\":[]}\r\n"
        "0\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    for (const char byte : requests.substr(0, 40))
      asio::write(socket, asio::buffer(&byte, 1), error);
    asio::write(socket, asio::buffer(requests.substr(40)), error);
    std::string answer;
    asio::read(socket, asio::dynamic_buffer(answer), error);
    EXPECT_NE(error, asio::error::would_block) << "nobody answers";
    return answer;
  }

  asio::io_context client_;
  asio::io_context context_{1};
  Server server_{context_, read_events, ServerLimits(), [](const Server::Answered&) {}};
  std::jthread thread_;
};

TEST_F(NoMemoryTest, EndsAConnectionAtMost) {
  EXPECT_THAT(ask(), StartsWith("HTTP/1.1 200 "));
  bool was_refused = true;
  for (std::size_t n = 1; was_refused && n < 1'000; ++n) {
    until_refusal_becomes(n);
    ask();
    was_refused = until_refusal_becomes(0) == 0;
    ASSERT_THAT(ask(), StartsWith("HTTP/1.1 200 ")) << "after refusal " << n;
  }
  EXPECT_FALSE(was_refused);
}

}  // namespace
}  // namespace dwell
