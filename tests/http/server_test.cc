#include "http/server.h"

#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <gmock/gmock.h>
#include <thread>

#include "http/direct_reader.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/memory_reader.h"

namespace dwell {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class NoIntake final : public Intake {
 public:
  void submit(Submission, std::function<void(SubmissionResult)> done) override {
    done(fail(ErrorKind::retry_later, "closed"));
  }
};

// A server on a thread of its own, and clients that block.
class ServerTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto listening = server_.listen("127.0.0.1:0");
    ASSERT_TRUE(listening) << listening.error().message;
    thread_ = std::jthread([this] { context_.run(); });
  }
  void TearDown() override {
    asio::post(context_, [this] { server_.stop(); });
    context_.stop();
  }

  // Sends `bytes` at once, then reads to the end of the connection.
  std::string exchange(const std::string& bytes, bool half_closes = false) {
    tcp::socket socket = connect();
    boost::system::error_code error;
    asio::write(socket, asio::buffer(bytes), error);
    if (half_closes) socket.shutdown(tcp::socket::shutdown_send, error);
    std::string answer;
    asio::read(socket, asio::dynamic_buffer(answer), error);
    EXPECT_EQ(error, asio::error::eof) << answer;
    return answer;
  }
  tcp::socket connect() {
    tcp::socket socket(client_);
    const auto port = server_.address().substr(server_.address().rfind(':') + 1);
    socket.connect(
        {asio::ip::make_address("127.0.0.1"), static_cast<std::uint16_t>(std::stoi(port))});
    return socket;
  }

  static ServerLimits limits() {
    ServerLimits limits;
    limits.header_bytes = 1'024;
    limits.body_bytes = 1 << 20;
    return limits;
  }

  MemoryStore store_;
  MemoryReader reader_{store_};
  FakeClock clock_;
  NoIntake intake_;
  asio::io_context client_;
  asio::io_context context_{1};
  asio::thread_pool workers_{1};
  DirectReader questions_{reader_, reader_, workers_};
  Api api_{{questions_, questions_, intake_, clock_, [] { return Health(); },
            [] { return std::string(); }}};
  Server server_{context_, [this](Request request) { return api_.handle(std::move(request)); },
                 limits(), [](std::string_view, Status, std::chrono::nanoseconds) {}};
  std::jthread thread_;
};

std::size_t count_of(const std::string& text, std::string_view part) {
  std::size_t count = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

TEST_F(ServerTest, PipelinedRequestsAreAnsweredInOrder) {
  const auto answer = exchange(
      "GET /health HTTP/1.1\r\nHost: a\r\n\r\n"
      "HEAD /health HTTP/1.1\r\nHost: a\r\n\r\n"
      "GET /presence HTTP/1.1\r\nHost: a\r\n\r\n"
      "GET /nothing HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(count_of(answer, "HTTP/1.1 200 OK\r\n"), 3u);
  EXPECT_EQ(count_of(answer, "HTTP/1.1 404 Not Found\r\n"), 1u);
  EXPECT_LT(answer.find("\r\n\r\nOK"), answer.find("\"devices\":[]"));
  EXPECT_LT(answer.find("\"devices\":[]"), answer.find("no-such-resource"));
}

TEST_F(ServerTest, AClientThatSendsNoMoreIsStillAnswered) {
  const auto answer = exchange("GET /health HTTP/1.1\r\nHost: a\r\n\r\n", true);
  EXPECT_THAT(answer, EndsWith("\r\n\r\nOK"));
}

TEST_F(ServerTest, AnOldClientGetsItsAnswerAndTheEnd) {
  EXPECT_THAT(exchange("GET /timeline/a HTTP/1.0\r\n\r\n"), EndsWith("{\"events\":[]}\n"));
}

TEST_F(ServerTest, RequestsThatCannotBeReadAreRefused) {
  const std::pair<std::string, const char*> expectations[] = {
      {"not HTTP at all\r\n\r\n", "HTTP/1.1 400 "},
      {std::string("\0\xff\x16\x03\x01 \r\n\r\n", 9), "HTTP/1.1 400 "},
      {"GET /health HTTP/1.1\r\nX: " + std::string(5'000, 'x') + "\r\n\r\n", "HTTP/1.1 431 "},
      {"POST /timeline HTTP/1.1\r\nContent-Length: 9999999\r\n\r\n", "HTTP/1.1 413 "},
  };
  for (const auto& [bytes, expected] : expectations) {
    const auto answer = exchange(bytes, true);
    EXPECT_THAT(answer, StartsWith(expected));
    EXPECT_THAT(answer, HasSubstr("urn:dwell:"));
    EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
  }
}

// The answer is there although the client sends all of its body before it reads.
TEST_F(ServerTest, ARefusalReachesAClientThatIsStillSending) {
  const std::string body(1'900'000, 'x');
  const auto length = std::to_string(body.size());
  EXPECT_THAT(
      exchange("POST /timeline HTTP/1.1\r\nContent-Length: " + length + "\r\n\r\n" + body, true),
      StartsWith("HTTP/1.1 413 "));
}

TEST_F(ServerTest, StoppingEndsIdleConnections) {
  tcp::socket socket = connect();
  const std::string request = "GET /health HTTP/1.1\r\nHost: a\r\n\r\n";
  asio::write(socket, asio::buffer(request));
  std::string answer;
  asio::read_until(socket, asio::dynamic_buffer(answer), "OK");
  asio::post(context_, [this] { server_.stop(); });
  boost::system::error_code error;
  asio::read(socket, asio::dynamic_buffer(answer), error);
  EXPECT_EQ(error, asio::error::eof);
}

}  // namespace
}  // namespace dwell
