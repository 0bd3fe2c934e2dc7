#include "http/wire/server.h"

#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <gmock/gmock.h>
#include <thread>

#include "http/api/api.h"
#include "http/api/fair_reader.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/memory_row_reader.h"

namespace dwell {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using ::testing::AllOf;
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
    thread_ = std::jthread([this] { server_.run(); });
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
    limits.hosts = {"Named.example"};
    return limits;
  }

  MemoryStore store_;
  MemoryRowReader reader_{store_};
  FakeClock clock_;
  NoIntake intake_;
  asio::io_context client_;
  asio::io_context context_{1};
  asio::thread_pool workers_{1};
  FairReader questions_{reader_, reader_, workers_};
  Api api_{{questions_, questions_, intake_, clock_, [] { return Health(); },
            [] { return std::string(); }}};
  Server server_{context_, [this](Request request) { return api_.handle(std::move(request)); },
                 limits(), [](const Server::Answered&) {}};
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

// RFC 9112 section 6: nobody can tell where such a request ends, so nothing behind it is one.
TEST_F(ServerTest, ATransferEncodingOtherThanChunkedEndsTheConnection) {
  for (const std::string field :
       {"Transfer-Encoding: identity", "Transfer-Encoding: gzip", "Transfer-Encoding: x",
        "Transfer-Encoding: chunked, gzip", "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: gzip, chunked", "Transfer-Encoding: chunked;q=1",
        "Transfer-Encoding:", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding: identity\r\ntransfer-encoding: chunked"}) {
    for (const std::string method : {"GET", "POST", "HEAD", "OPTIONS"}) {
      const auto answer =
          exchange(method + " /timeline HTTP/1.1\r\nHost: a\r\n" + field +
                   "\r\n\r\nGET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
      EXPECT_THAT(answer, StartsWith("HTTP/1.1 400 ")) << method << ' ' << field;
      EXPECT_EQ(count_of(answer, "HTTP/1.1 "), 1u) << method << ' ' << field;
    }
  }
  const auto old =
      exchange("POST /timeline HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
  EXPECT_THAT(old, StartsWith("HTTP/1.1 400 "));
}

TEST_F(ServerTest, WhatFramesABodyIsBounded) {
  const std::string head =
      "POST /timeline HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::string many(200'000, 'x');
  std::string extensions, zeros, trailers = "0\r\n";
  for (int i = 0; i < 2'000; ++i) {
    extensions += "1;" + std::string(100, 'x') + "\r\n \r\n";
    zeros += std::string(100, '0') + "1\r\n \r\n";
    trailers += "a: " + std::string(100, 'x') + "\r\n";
  }
  for (const std::string& body :
       {"1;" + many, "0;" + many, extensions + "0\r\n\r\n", zeros + "0\r\n\r\n", trailers + "\r\n",
        "0\r\na: " + many, std::string(200'000, '0')}) {
    const auto answer = exchange(head + body, true);
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 400 ")) << body.substr(0, 20);
    EXPECT_THAT(answer, HasSubstr("65536 bytes")) << body.substr(0, 20);
    EXPECT_THAT(answer, HasSubstr("Connection: close\r\n")) << body.substr(0, 20);
  }
}

// However small they are, as long as they say nothing but what they carry.
TEST_F(ServerTest, AnyNumberOfPlainChunksIsABody) {
  std::string body;
  for (int i = 0; i < 100'000; ++i) body += "1\r\n \r\n";
  const auto answer = exchange(
      "POST /timeline HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + body +
          "d\r\n{\"events\":[]}\r\n0\r\nA: b\r\n\r\nGET /health HTTP/1.1\r\nHost: a\r\n\r\n",
      true);
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 201 "));
  EXPECT_THAT(answer, EndsWith("\r\n\r\nOK"));
}

TEST_F(ServerTest, EmptyLinesBeforeARequestArePassedOver) {
  const std::string request = "GET /health HTTP/1.1\r\nHost: a\r\n\r\n";
  const auto answer = exchange("\r\n" + request + "\r\n\r\n" + request, true);
  EXPECT_EQ(count_of(answer, "HTTP/1.1 200 OK\r\n"), 2u);
  std::string many;
  for (int i = 0; i < 1'000; ++i) many += "\r\n";
  EXPECT_THAT(exchange(many + request, true), StartsWith("HTTP/1.1 400 "));
}

TEST_F(ServerTest, AnOldClientIsNotAskedToContinue) {
  const auto answer = exchange(
      "POST /timeline HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: "
      "13\r\n\r\n{\"events\":[]}");
  EXPECT_THAT(answer, StartsWith("HTTP/1.0 201 "));
}

TEST_F(ServerTest, NothingFollowsConnect) {
  const auto answer =
      exchange("CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\nGET /health HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 400 "));
  EXPECT_EQ(count_of(answer, "HTTP/1.1 "), 1u);
}

TEST_F(ServerTest, ARefusedBodyLeavesTheConnectionInStep) {
  for (const std::string& body :
       {std::string(500'000, 'x'), "{\"events\":1" + std::string(500'000, ' ')}) {
    const auto answer = exchange(
        "POST /timeline HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) +
            "\r\n\r\n" + body + "GET /health HTTP/1.1\r\nHost: a\r\n\r\n",
        true);
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 400 "));
    EXPECT_THAT(answer, HasSubstr("invalid-body"));
    EXPECT_THAT(answer, EndsWith("\r\n\r\nOK"));
  }
}

TEST_F(ServerTest, ANameThatIsNotOfThisMachineIsNotAnswered) {
  for (const std::string host : {"attacker.example", "attacker.example:80", "a.localhost.example",
                                 "127.0.0.1.example", "attacker.example."}) {
    for (const std::string request : {"GET /presence", "POST /timeline", "GET /metrics"}) {
      EXPECT_THAT(exchange(request + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n"),
                  AllOf(StartsWith("HTTP/1.1 421 "), HasSubstr("http.hosts")))
          << host;
    }
    for (const std::string probe : {"/livez", "/readyz", "/health"}) {
      EXPECT_THAT(
          exchange("GET " + probe + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n"),
          StartsWith("HTTP/1.1 200 "));
    }
  }
  for (const std::string host :
       {"127.0.0.1:8080", "[::1]:8080", "192.168.1.7", "localhost", "LocalHost", "x.localhost:1",
        "dwell", "", "named.example", "Named.Example:8080"}) {
    EXPECT_THAT(
        exchange("GET /presence HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n"),
        StartsWith("HTTP/1.1 200 "))
        << host;
  }
  EXPECT_THAT(exchange("GET /presence HTTP/1.0\r\n\r\n"), StartsWith("HTTP/1.0 200 "));
}

TEST_F(ServerTest, APageOfAnotherSiteCannotPost) {
  const auto post = [&](const std::string& fields, const std::string& request = "POST /timeline") {
    return exchange(request + " HTTP/1.1\r\nHost: localhost:8080\r\nConnection: close\r\n" +
                    fields + "Content-Length: 13\r\n\r\n{\"events\":[]}");
  };
  const std::string json = "Content-Type: application/json\r\n";
  for (const std::string foreign :
       {"Origin: http://evil.example\r\n", "Origin: null\r\n", "Origin: localhost\r\n",
        "Origin: http://evil.example\r\nSec-Fetch-Site: cross-site\r\n",
        "Origin: http://localhost.evil.example\r\n", "Origin:\r\n"}) {
    EXPECT_THAT(post(foreign + json), StartsWith("HTTP/1.1 403 ")) << foreign;
    EXPECT_THAT(post(foreign, "OPTIONS /timeline"), StartsWith("HTTP/1.1 403 ")) << foreign;
    EXPECT_THAT(post(foreign, "GET /health"), StartsWith("HTTP/1.1 200 ")) << foreign;
  }
  for (const std::string known :
       {"Origin: http://localhost:8080\r\n", "Origin: http://LOCALHOST\r\n",
        "Origin: https://named.example\r\n", "Origin: null\r\nSec-Fetch-Site: same-origin\r\n",
        "Sec-Fetch-Site: none\r\n"}) {
    EXPECT_THAT(post(known + json), StartsWith("HTTP/1.1 201 ")) << known;
    EXPECT_THAT(post(known), AllOf(StartsWith("HTTP/1.1 415 "), HasSubstr("-H"))) << known;
  }
  EXPECT_THAT(post(""), StartsWith("HTTP/1.1 201 "));
}

TEST_F(ServerTest, OutOfMemoryDoesNotEndTheService) {
  for (int i = 0; i < 3; ++i) {
    asio::post(context_, [] { throw std::bad_alloc(); });
    EXPECT_THAT(exchange("GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
                StartsWith("HTTP/1.1 200 "));
  }
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
