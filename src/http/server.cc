#include "http/server.h"

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <charconv>
#include <optional>

#include "http/wire.h"

namespace dwell {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

// How long a refused client may go on sending what nobody reads.
constexpr std::chrono::seconds kLinger{2};

using Parser = http::request_parser<http::string_body>;

// Why a request could not even be read, as an answer; empty when there is nobody to answer.
std::optional<Reply> refusal(const boost::system::error_code& error, const ServerLimits& limits) {
  if (error == http::error::header_limit) {
    return problem(Status::request_header_fields_too_large, "header-too-large",
                   fmt::format("the head is longer than {} bytes", limits.header_bytes));
  }
  if (error == http::error::body_limit) {
    return problem(Status::payload_too_large, "body-too-large",
                   fmt::format("the body is longer than {} bytes; send fewer events at a time",
                               limits.body_bytes));
  }
  if (error == beast::error::timeout) {
    return problem(Status::request_timeout, "too-slow", "the request took too long to arrive");
  }
  const bool is_gone = error == http::error::end_of_stream ||
                       error == http::error::partial_message ||
                       error.category() != make_error_code(http::error::bad_method).category();
  if (is_gone) return std::nullopt;
  return problem(Status::bad_request, "bad-request", "this is not HTTP: " + error.message());
}

bool takes_gzip(std::string_view accept_encoding) {
  for (const auto& [coding, parameters] : http::ext_list(accept_encoding)) {
    if (!beast::iequals(coding, "gzip")) continue;
    for (const auto& [name, value] : parameters) {
      if (beast::iequals(name, "q")) return value.find_first_not_of("0.") != value.npos;
    }
    return true;
  }
  return false;
}

Exchange exchange_of(const Parser::value_type& message, bool is_stopping) {
  Exchange exchange;
  exchange.is_head = message.method() == http::verb::head;
  exchange.keeps_alive = message.keep_alive() && !is_stopping;
  exchange.takes_gzip = takes_gzip(message[http::field::accept_encoding]);
  exchange.takes_chunks = message.version() >= 11;
  return exchange;
}

}  // namespace

struct Server::Session {
  explicit Session(tcp::socket socket) : stream(std::move(socket)) {}
  beast::tcp_stream stream;
  beast::flat_buffer buffer;
  bool is_idle = true;  // between requests
  std::chrono::steady_clock::time_point idle_until;
};

Server::Server(asio::io_context& context, Api& api, const ServerLimits& limits, OnReply on_reply)
    : context_(context),
      api_(api),
      limits_(limits),
      on_reply_(std::move(on_reply)),
      acceptor_(context),
      sweep_(context) {}

Result<void> Server::listen(const std::string& address) {
  const auto colon = address.rfind(':');
  std::string host = address.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  std::uint16_t port = 0;
  const std::string_view port_text =
      colon == std::string::npos ? std::string_view() : std::string_view(address).substr(colon + 1);
  const auto end = port_text.data() + port_text.size();
  const auto [rest, port_error] = std::from_chars(port_text.data(), end, port);
  boost::system::error_code error;
  const auto ip = asio::ip::make_address(host == "localhost" ? "127.0.0.1" : host, error);
  if (error || port_text.empty() || port_error != std::errc{} || rest != end) {
    return fail(ErrorKind::invalid, "{}: expected an IP address and a port, as in 127.0.0.1:8080",
                address);
  }
  const tcp::endpoint endpoint(ip, port);
  acceptor_.open(endpoint.protocol(), error);
  if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor_.bind(endpoint, error);
  if (!error) acceptor_.listen(4'096, error);
  if (error) {
    return fail(ErrorKind::invalid, "{}: cannot listen: {}; free the port or choose another",
                address, error.message());
  }
  const auto bound = acceptor_.local_endpoint();
  address_ = fmt::format("{}:{}", ip.is_v6() ? '[' + host + ']' : host, bound.port());
  asio::co_spawn(context_, accept(), asio::detached);
  asio::co_spawn(context_, close_idle(), asio::detached);
  return {};
}

void Server::stop() {
  is_stopping_ = true;
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  sweep_.cancel();
  for (Session* session : sessions_) {
    if (session->is_idle) session->stream.close();
  }
}

asio::awaitable<void> Server::accept() {
  asio::steady_timer pause(context_);
  while (!is_stopping_) {
    auto [error, socket] = co_await acceptor_.async_accept(kAwait);
    if (is_stopping_) co_return;
    if (error || sessions_.size() >= limits_.connections) {
      // Out of descriptors or slots: the others are served on, this one finds the door closed.
      pause.expires_after(std::chrono::milliseconds(error ? 50 : 0));
      co_await pause.async_wait(kAwait);
      continue;
    }
    boost::system::error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    asio::co_spawn(context_, serve(std::move(socket)), asio::detached);
  }
}

// Idle connections have no timer each: one look a second at all of them.
asio::awaitable<void> Server::close_idle() {
  while (!is_stopping_) {
    sweep_.expires_after(std::chrono::seconds(1));
    co_await sweep_.async_wait(kAwait);
    const auto now = std::chrono::steady_clock::now();
    for (Session* session : sessions_) {
      if (session->is_idle && session->idle_until < now) session->stream.close();
    }
  }
}

asio::awaitable<void> Server::serve(tcp::socket socket) {
  Session session(std::move(socket));
  const auto place = sessions_.insert(sessions_.end(), &session);
  try {
    while (co_await serve_one(session)) {
    }
  } catch (const std::exception&) {
    // Out of memory: this connection ends, the others go on.
  }
  sessions_.erase(place);
  boost::system::error_code ignored;
  session.stream.socket().shutdown(tcp::socket::shutdown_send, ignored);
}

// Waits for a request without holding memory for it. True: there may be another one.
asio::awaitable<bool> Server::serve_one(Session& session) {
  session.is_idle = session.buffer.size() == 0;
  if (session.is_idle) {
    if (is_stopping_) co_return false;
    session.buffer.shrink_to_fit();
    session.idle_until = std::chrono::steady_clock::now() + limits_.idle;
    const auto [error] =
        co_await session.stream.socket().async_wait(tcp::socket::wait_read, kAwait);
    if (error) co_return false;
    session.is_idle = false;
  }
  co_return co_await receive_and_reply(session);
}

// Answers a request that could not be read; the connection ends.
asio::awaitable<void> Server::refuse(Session& session, Reply reply) {
  on_reply_("none", reply.status, std::chrono::nanoseconds(0));
  Exchange exchange;
  exchange.keeps_alive = false;
  if (co_await write_reply(session.stream, std::move(reply), exchange, limits_.write)) co_return;
  // Bytes that were sent and not read would make the close a reset, which takes the answer with it.
  boost::system::error_code ignored;
  session.stream.socket().shutdown(tcp::socket::shutdown_send, ignored);
  session.stream.expires_after(kLinger);
  std::array<char, 16 * 1024> unwanted;
  for (;;) {
    const auto [error, size] =
        co_await session.stream.async_read_some(asio::buffer(unwanted), kAwait);
    if (error) co_return;
  }
}

asio::awaitable<bool> Server::receive_and_reply(Session& session) {
  const auto start = std::chrono::steady_clock::now();
  Parser parser;
  parser.header_limit(static_cast<std::uint32_t>(limits_.header_bytes));
  parser.body_limit(limits_.body_bytes);
  session.stream.expires_after(limits_.head);
  auto [head_error, head_size] =
      co_await http::async_read_header(session.stream, session.buffer, parser, kAwait);
  if (head_error) {
    auto reply = refusal(head_error, limits_);
    if (reply) co_await refuse(session, std::move(*reply));
    co_return false;
  }

  if (parser.get().version() >= 11 && parser.get().count(http::field::host) != 1) {
    co_await refuse(session, problem(Status::bad_request, "bad-request",
                                     "an HTTP/1.1 request needs one Host header"));
    co_return false;
  }
  if (http::token_list(parser.get()[http::field::expect]).exists("100-continue")) {
    http::response<http::empty_body> go_on(Status::continue_, 11);
    co_await http::async_write(session.stream, go_on, kAwait);
  }
  // What has come of a body counts, not what was announced: silent clients hold nobody up.
  struct Share {
    std::size_t& sum;
    std::size_t size = 0;
    ~Share() { sum -= size; }
  } share{body_bytes_};
  session.stream.expires_after(limits_.body);
  parser.eager(true);
  while (!parser.is_done()) {
    const auto [body_error, body_size] =
        co_await http::async_read_some(session.stream, session.buffer, parser, kAwait);
    if (body_error) {
      auto reply = refusal(body_error, limits_);
      if (reply) co_await refuse(session, std::move(*reply));
      co_return false;
    }
    body_bytes_ += parser.get().body().size() - share.size;
    share.size = parser.get().body().size();
    if (body_bytes_ > limits_.body_bytes_in_all) {
      co_await refuse(session, problem(Status::service_unavailable, "too-many-bodies",
                                       "too many large requests at one time"));
      co_return false;
    }
  }

  auto message = parser.release();
  const auto exchange = exchange_of(message, is_stopping_);
  Request request;
  request.method = message.method();
  request.target = std::string(message.target());
  request.accept = std::string(message[http::field::accept]);
  request.content_type = std::string(message[http::field::content_type]);
  request.body = std::move(message.body());
  session.stream.expires_never();
  Routed routed = co_await api_.handle(std::move(request));
  on_reply_(routed.route, routed.reply.status, std::chrono::steady_clock::now() - start);
  co_return co_await write_reply(session.stream, std::move(routed.reply), exchange, limits_.write);
}

}  // namespace dwell
