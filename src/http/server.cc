#include "http/server.h"

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <cerrno>
#include <charconv>
#include <optional>
#include <sys/socket.h>
#include <tuple>

#include "http/wire.h"

namespace dwell {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

// A client that leaves a handler that takes longer is noticed.
constexpr std::chrono::milliseconds kBeforeLookingAtClient{500};

constexpr std::size_t kIdleBuffer = 1'024;  // bytes a connection holds while it waits

using Parser = http::request_parser<http::string_body>;

// Whether a head that is too long did not even get to the end of its first line.
bool is_in_first_line(const Parser& parser, const beast::flat_buffer& unread) {
  const auto bytes = unread.data();
  const std::string_view text(static_cast<const char*>(bytes.data()), bytes.size());
  return parser.get().target().empty() && text.find('\n') == std::string_view::npos;
}

// Of what is there: nearly always all of it. Errors: need_more, and those of reading one.
boost::system::error_code parse_head(Parser& parser, beast::flat_buffer& unread) {
  boost::system::error_code error;
  parser.eager(false);
  unread.consume(parser.put(unread.data(), error));
  return error;
}

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
  if (error == asio::error::operation_aborted) {  // by enforce_deadlines()
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

// A list may come in several fields of its name (RFC 9110 section 5.3).
std::string all_of(const Parser::value_type& message, http::field name) {
  std::string all;
  const auto [first, last] = message.equal_range(name);
  for (auto field = first; field != last; ++field) {
    if (!all.empty()) all += ", ";
    all += std::string_view(field->value());
  }
  return all;
}

Exchange exchange_of(const Parser::value_type& message, bool is_stopping) {
  Exchange exchange;
  exchange.is_head = message.method() == http::verb::head;
  exchange.keeps_alive = message.keep_alive() && !is_stopping;
  exchange.takes_gzip = takes_gzip(all_of(message, http::field::accept_encoding));
  exchange.takes_chunks = message.version() >= 11;
  return exchange;
}

// What one request adds to a sum, while it lives. Shares the sum: a request cut off when the
// service stops is destroyed with the io_context, after the server.
class Share {
 public:
  explicit Share(std::shared_ptr<std::size_t> sum) : sum_(std::move(sum)) {}
  ~Share() { *sum_ -= size_; }
  Share(const Share&) = delete;
  Share& operator=(const Share&) = delete;

  void grow_to(std::size_t size) {
    *sum_ += size - size_;
    size_ = size;
  }
  std::size_t sum() const { return *sum_; }

 private:
  std::shared_ptr<std::size_t> sum_;
  std::size_t size_ = 0;
};

}  // namespace

struct Server::Session {
  enum class Doing { waiting, receiving, handling, answering, leaving };

  Session(tcp::socket socket, asio::cancellation_signal& cancellation)
      : socket(std::move(socket)), cancellation(cancellation) {}
  void start(Doing what, std::chrono::milliseconds time) {
    doing = what;
    deadline.start(time);
  }

  tcp::socket socket;
  asio::cancellation_signal& cancellation;  // of the coroutine that serves it
  beast::flat_buffer buffer;
  Doing doing = Doing::waiting;
  Deadline deadline;
};

Server::Server(asio::io_context& context, Handle handle, const ServerLimits& limits,
               OnReply on_reply)
    : context_(context),
      handle_(std::move(handle)),
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
  asio::co_spawn(context_, enforce_deadlines(), asio::detached);
  return {};
}

void Server::stop() {
  is_stopping_ = true;
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  sweep_.cancel();
  for (Session* session : sessions_) {
    if (session->doing == Session::Doing::waiting) close(*session);
  }
}

void Server::abort() {
  stop();
  for (auto place = sessions_.begin(); place != sessions_.end();) {
    Session& session = **place++;                            // whose end takes it off the list
    if (session.doing == Session::Doing::waiting) continue;  // was closed
    close(session);
    session.cancellation.emit(asio::cancellation_type::terminal);
  }
}

void Server::close(Session& session) {
  boost::system::error_code ignored;
  session.socket.close(ignored);
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
    socket.non_blocking(true, ignored);  // for write_reply()
    try {
      start(std::move(socket));
    } catch (const std::bad_alloc&) {
      // This connection ends; the next one may find room.
    }
  }
}

// Connections have no timers of their own: one look a second at all of them. A request that is late
// is interrupted, so that it can be answered; whatever else is late is closed.
asio::awaitable<void> Server::enforce_deadlines() {
  while (!is_stopping_) {
    sweep_.expires_after(std::chrono::seconds(1));
    co_await sweep_.async_wait(kAwait);
    const auto now = std::chrono::steady_clock::now();
    for (Session* session : sessions_) {
      if (!session->deadline.is_over(now)) continue;
      if (session->doing == Session::Doing::handling) {
        if (has_left(*session)) session->cancellation.emit(asio::cancellation_type::terminal);
        continue;
      }
      if (session->doing == Session::Doing::receiving) {
        boost::system::error_code ignored;
        session->socket.cancel(ignored);
      } else {
        close(*session);
      }
    }
  }
}

void Server::start(tcp::socket socket) {
  const auto cancellation = std::make_shared<asio::cancellation_signal>();
  asio::co_spawn(
      context_, serve(std::move(socket), *cancellation),
      asio::bind_cancellation_slot(cancellation->slot(), [cancellation](std::exception_ptr) {}));
}

// Whether the client has ended its side of the connection, with nothing more to be read from it.
bool Server::has_left(Session& session) {
  char byte = 0;
  const auto count = ::recv(session.socket.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR);
}

asio::awaitable<void> Server::serve(tcp::socket socket, asio::cancellation_signal& cancellation) {
  Session session(std::move(socket), cancellation);
  const auto place = sessions_.insert(sessions_.end(), &session);
  try {
    while (co_await serve_one(session)) {
    }
  } catch (const std::exception&) {
    // Out of memory: this connection ends, the others go on.
  }
  sessions_.erase(place);
  boost::system::error_code ignored;
  session.socket.shutdown(tcp::socket::shutdown_send, ignored);
}

// Waits for the first bytes of a request, with little memory meanwhile. True: there may be another.
asio::awaitable<bool> Server::serve_one(Session& session) {
  if (session.buffer.size() == 0) {
    if (is_stopping_) co_return false;
    if (session.buffer.capacity() > kIdleBuffer) session.buffer.shrink_to_fit();
    session.start(Session::Doing::waiting, limits_.idle);
    // A read and not a wait: a wait may end with nothing to read, and that is not a slow request.
    const auto space = session.buffer.prepare(kIdleBuffer);
    const auto [error, size] = co_await session.socket.async_read_some(space, kAwait);
    if (error) co_return false;
    session.buffer.commit(size);
  }
  co_return co_await receive_and_reply(session);
}

// Reads what a refused client still sends, for a short time: closing with bytes unread resets the
// connection, and a reset may overtake the answer.
asio::awaitable<void> Server::read_away(Session& session) {
  boost::system::error_code ignored;
  session.socket.shutdown(tcp::socket::shutdown_send, ignored);
  session.start(Session::Doing::leaving, limits_.linger);
  std::array<char, 16 * 1024> bytes;
  for (;;) {
    const auto [error, size] = co_await session.socket.async_read_some(asio::buffer(bytes), kAwait);
    if (error) co_return;
  }
}

// Answers a request that could not be read; the connection ends.
asio::awaitable<void> Server::refuse(Session& session, Reply reply) {
  on_reply_("none", reply.status, std::chrono::nanoseconds(0));
  Exchange exchange;
  exchange.keeps_alive = false;
  session.start(Session::Doing::answering, limits_.write);
  co_await write_reply(session.socket, session.deadline, std::move(reply), exchange);
  co_await read_away(session);
}

asio::awaitable<bool> Server::receive_and_reply(Session& session) {
  const auto start = std::chrono::steady_clock::now();
  Parser parser;
  parser.header_limit(static_cast<std::uint32_t>(limits_.header_bytes));
  parser.body_limit(limits_.body_bytes);
  session.start(Session::Doing::receiving, limits_.head);
  auto head_error = parse_head(parser, session.buffer);
  if (head_error == http::error::need_more) {
    std::tie(head_error, std::ignore) =
        co_await http::async_read_header(session.socket, session.buffer, parser, kAwait);
  }
  if (head_error) {
    auto reply = head_error == http::error::header_limit && is_in_first_line(parser, session.buffer)
                     ? target_too_long()
                     : refusal(head_error, limits_);
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
    co_await http::async_write(session.socket, go_on, kAwait);
  }
  // What has come of a body counts, not what was announced: silent clients hold nobody up.
  Share share(body_bytes_);
  session.start(Session::Doing::receiving, limits_.body);
  parser.eager(true);
  while (!parser.is_done()) {
    const auto [body_error, body_size] =
        co_await http::async_read_some(session.socket, session.buffer, parser, kAwait);
    if (body_error) {
      auto reply = refusal(body_error, limits_);
      if (reply) co_await refuse(session, std::move(*reply));
      co_return false;
    }
    share.grow_to(parser.get().body().size());
    if (share.sum() > limits_.body_bytes_in_all) {
      // Given back at once, or the others would be refused for what this one had.
      parser.get().body() = std::string();
      share.grow_to(0);
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
  request.accept = all_of(message, http::field::accept);
  request.content_type = std::string(message[http::field::content_type]);
  request.content_encoding = all_of(message, http::field::content_encoding);
  request.body = std::move(message.body());
  session.start(Session::Doing::handling, kBeforeLookingAtClient);
  Routed routed = co_await handle_(std::move(request));
  on_reply_(routed.route, routed.reply.status, std::chrono::steady_clock::now() - start);
  // Behind the other requests that are there: replies written in a row wake a client's machine
  // once, and waking it costs as much as the reply.
  co_await asio::post(context_, asio::use_awaitable);
  session.start(Session::Doing::answering, limits_.write);
  co_return co_await write_reply(session.socket, session.deadline, std::move(routed.reply),
                                 exchange);
}

}  // namespace dwell
