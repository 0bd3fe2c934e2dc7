#include "http/wire/server.h"

#include <array>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <charconv>
#include <optional>
#include <sys/socket.h>
#include <thread>

#include "base/await.h"
#include "http/wire/incoming.h"
#include "http/wire/request_span.h"
#include "http/wire/wire.h"

namespace dwell {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

constexpr std::size_t kIdleBuffer = 1'024;   // bytes a connection holds while it waits
constexpr std::size_t kMostEmptyLines = 8;   // before a request
constexpr std::size_t kAcceptedAtOnce = 32;  // connections

// One more stream, until it ends.
class CountedStream {
 public:
  explicit CountedStream(std::atomic<std::size_t>& streams) : streams_(streams) { ++streams_; }
  ~CountedStream() { --streams_; }
  CountedStream(const CountedStream&) = delete;
  CountedStream& operator=(const CountedStream&) = delete;

 private:
  std::atomic<std::size_t>& streams_;
};

// Takes empty lines before a request away (RFC 9112 section 2.2), up to `most` of them. True: there
// is something else.
bool skip_empty_lines(boost::beast::flat_buffer& buffer, std::size_t& most) {
  for (; buffer.size() > 0; --most) {
    const auto bytes = buffer.data();
    const std::string_view text(static_cast<const char*>(bytes.data()), bytes.size());
    if (most == 0 || text[0] != '\r' || (text.size() > 1 && text[1] != '\n')) return true;
    if (text.size() == 1) return false;
    buffer.consume(2);
  }
  return false;
}

}  // namespace

struct Server::Session : Connection {
  Session(tcp::socket socket, std::size_t most_unread, asio::cancellation_signal& cancellation,
          std::shared_ptr<State> state)
      : Connection(std::move(socket), most_unread),
        cancellation(cancellation),
        state(std::move(state)),
        place(this->state->sessions.insert(this->state->sessions.end(), this)) {
    this->state->connections = this->state->sessions.size();
  }
  ~Session() {
    state->sessions.erase(place);
    state->connections = state->sessions.size();
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  asio::cancellation_signal& cancellation;  // of the coroutine that serves it
  const std::shared_ptr<State> state;
  const std::list<Session*>::iterator place;
};

// Tells that a loop runs, as long as its coroutine is there.
class Server::Running {
 public:
  Running(std::shared_ptr<State> state, bool State::*flag) : state_(std::move(state)), flag_(flag) {
    (*state_).*flag_ = true;
  }
  ~Running() {
    if (state_) (*state_).*flag_ = false;
  }
  Running(Running&&) = default;

 private:
  std::shared_ptr<State> state_;
  bool State::*flag_;
};

Server::Server(asio::io_context& context, Handle handle, const ServerLimits& limits,
               OnReply on_reply, const Tracer& tracer)
    : context_(context),
      handle_(std::move(handle)),
      limits_(limits),
      on_reply_(std::move(on_reply)),
      tracer_(tracer),
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
  if (!error) acceptor_.non_blocking(true, error);  // for those that wait behind one
  if (error) {
    return fail(ErrorKind::invalid, "{}: cannot listen: {}; free the port or choose another",
                address, error.message());
  }
  const auto bound = acceptor_.local_endpoint();
  address_ = fmt::format("{}:{}", ip.is_v6() ? '[' + host + ']' : host, bound.port());
  known_hosts_ = KnownHosts(limits_.hosts, ip.is_loopback());
  start_loops();
  return {};
}

// Those that do not run. What ends one leaves the context's run().
void Server::start_loops() {
  const auto pass_on = [](std::exception_ptr error) {
    if (error) std::rethrow_exception(error);
  };
  if (is_stopping_ || !acceptor_.is_open()) return;
  if (!state_->is_accepting) {
    asio::co_spawn(context_, accept(Running(state_, &State::is_accepting)), pass_on);
  }
  if (!state_->is_enforcing) {
    asio::co_spawn(context_, enforce_deadlines(Running(state_, &State::is_enforcing)), pass_on);
  }
}

void Server::run() {
  for (;;) {
    try {
      start_loops();
      context_.run();
      return;
    } catch (const std::bad_alloc&) {
      // Thrown where an operation begins, beneath any coroutine: the one that began it is gone,
      // and with it what it held. Others may need a moment to give memory back.
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
}

void Server::stop() {
  is_stopping_ = true;
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  sweep_.cancel();
  for (Session* session : state_->sessions) {
    if (session->doing == Session::Doing::waiting) close(*session);
  }
}

void Server::abort() {
  stop();
  for (auto place = state_->sessions.begin(); place != state_->sessions.end();) {
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

asio::awaitable<void> Server::accept(Running) {
  asio::steady_timer pause(context_);
  while (!is_stopping_) {
    auto [error, socket] = co_await acceptor_.async_accept(kAwait);
    // Those that wait behind it as well: what others do on this thread would pass between them.
    for (std::size_t accepted = 0; !error; ++accepted) {
      if (state_->sessions.size() + accepted >= limits_.connections) {
        // Those that have left already make room first; then the door is closed.
        pause.expires_after(std::chrono::milliseconds(0));
        co_await pause.async_wait(kAwait);
        if (state_->sessions.size() < limits_.connections) start(std::move(socket));
        break;
      }
      start(std::move(socket));
      if (is_stopping_ || accepted + 1 == kAcceptedAtOnce) break;
      socket = acceptor_.accept(error);
    }
    if (!error || error == asio::error::would_block || is_stopping_) continue;
    // Out of descriptors, most likely: the others are served on.
    pause.expires_after(std::chrono::milliseconds(50));
    co_await pause.async_wait(kAwait);
  }
}

// Connections have no timers of their own: one look a second at all of them. A request that is late
// is interrupted, so that it can be answered; whatever else is late is closed.
asio::awaitable<void> Server::enforce_deadlines(Running) {
  while (!is_stopping_) {
    sweep_.expires_after(std::chrono::seconds(1));
    co_await sweep_.async_wait(kAwait);
    const auto now = std::chrono::steady_clock::now();
    for (Session* session : state_->sessions) {
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

void Server::start(tcp::socket socket) try {
  boost::system::error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  socket.non_blocking(true, ignored);  // for write_reply()
  const auto cancellation = std::make_shared<asio::cancellation_signal>();
  asio::co_spawn(
      context_, serve(std::move(socket), *cancellation),
      asio::bind_cancellation_slot(cancellation->slot(), [cancellation](std::exception_ptr) {}));
} catch (const std::bad_alloc&) {
  // This connection ends; the next one may find room.
}

// Whether the client has ended its side of the connection, with nothing more to be read from it.
bool Server::has_left(Session& session) {
  char byte = 0;
  const auto count = ::recv(session.socket.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR);
}

asio::awaitable<void> Server::serve(tcp::socket socket, asio::cancellation_signal& cancellation) {
  Session session(std::move(socket), limits_.header_bytes + 2 * limits_.framing_bytes, cancellation,
                  state_);
  try {
    while (co_await serve_one(session)) {
    }
  } catch (const std::exception&) {
    // Out of memory: this connection ends, the others go on.
  }
  boost::system::error_code ignored;
  session.socket.shutdown(tcp::socket::shutdown_send, ignored);
}

// Waits for the first bytes of a request, with little memory meanwhile. True: there may be another.
asio::awaitable<bool> Server::serve_one(Session& session) {
  auto most_empty_lines = kMostEmptyLines;
  bool is_idle = false;
  while (!skip_empty_lines(session.unread, most_empty_lines)) {
    if (is_stopping_) co_return false;
    if (!is_idle) session.start(Session::Doing::waiting, limits_.idle);
    is_idle = true;
    if (session.unread.capacity() > kIdleBuffer) session.unread.shrink_to_fit();
    // A read and not a wait: a wait may end with nothing to read, and that is not a slow request.
    const auto space = session.unread.prepare(kIdleBuffer);
    const auto [error, size] = co_await session.socket.async_read_some(space, kAwait);
    if (error) co_return false;
    session.unread.commit(size);
  }
  co_return co_await receive_and_reply(session);
}

// Reads what a refused client still sends, for a short time: closing with bytes unread resets the
// connection, and a reset may overtake the answer.
asio::awaitable<void> Server::drain(Session& session) {
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
  on_reply_({"none", reply.status, std::chrono::nanoseconds(0)});
  Exchange exchange;
  exchange.keeps_alive = false;
  session.start(Session::Doing::answering, limits_.write);
  co_await write_reply(session.socket, session.deadline, std::move(reply), exchange);
  co_await drain(session);
}

asio::awaitable<bool> Server::receive_and_reply(Session& session) {
  const auto start = std::chrono::steady_clock::now();
  Incoming incoming(session, limits_, known_hosts_,
                    std::shared_ptr<std::size_t>(state_, &state_->body_bytes));
  Exchange exchange;
  std::optional<Routed> routed;
  std::optional<RequestSpan> span;
  if (co_await incoming.receive_head()) {
    exchange = exchange_of(incoming.head(), incoming.keeps_alive());
    Request request = request_of(incoming.head());
    request.receive_body = [&incoming](BodySink& sink) { return incoming.receive_body(&sink); };
    span.emplace(tracer_, request);
    routed = co_await handle_(std::move(request));
    // What the handler did not want comes all the same, in front of the next request.
    if (!co_await incoming.receive_body(nullptr)) routed.reset();
  }
  if (!routed) {
    if (auto refusal = incoming.take_refusal()) co_await refuse(session, std::move(*refusal));
    co_return false;
  }
  exchange.keeps_alive = exchange.keeps_alive && !is_stopping_;
  on_reply_({routed->route, routed->reply.status, std::chrono::steady_clock::now() - start,
             span->context()});
  span->end(routed->route, routed->reply.status);
  // Behind the other requests that are there: replies written in a row wake a client's machine
  // once, and waking it costs as much as the reply.
  co_await asio::post(context_, asio::use_awaitable);
  session.start(Session::Doing::answering, limits_.write);
  std::optional<CountedStream> stream;
  if (routed->reply.more) stream.emplace(state_->streams);
  co_return co_await write_reply(session.socket, session.deadline, std::move(routed->reply),
                                 exchange);
}

}  // namespace dwell
