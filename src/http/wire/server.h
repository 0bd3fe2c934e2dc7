#pragma once

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "http/wire/connection.h"
#include "http/wire/known_hosts.h"
#include "http/wire/router.h"
#include "telemetry/tracer.h"

namespace dwell {

// Puts handlers (an Api's) on the wire: HTTP/1.1 with keep-alive and pipelining, bounded in every
// direction.
//
// The handler of a client that has left is cancelled, where it takes longer than a second.
//
// Runs on one io_context run by one thread. stop() and abort() are called in handlers of that
// context: elsewhere, a cancellation would be carried out later, when its connection may be gone.
// A slow or silent client costs a connection slot for a bounded time and holds up nobody else. The
// times of ServerLimits are kept to within a second.
class Server {
 public:
  // What it holds now.
  struct Load {
    std::size_t connections = 0;
    std::size_t streams = 0;  // answers that are written piece by piece
  };
  struct Answered {
    std::string_view route;
    Status status;
    std::chrono::nanoseconds took;
    std::optional<TraceContext> span = {};  // of the request, where it is traced
  };
  using OnReply = std::function<void(const Answered& answered)>;

  Server(boost::asio::io_context& context, Handle handle, const ServerLimits& limits,
         OnReply on_reply, const Tracer& tracer = {});

  // Binds `address`, HOST:PORT; port 0 takes a free one. Errors: invalid.
  Result<void> listen(const std::string& address);
  const std::string& address() const { return address_; }  // HOST:PORT as bound

  // Runs the context until it is stopped. Where memory does not suffice, the connection that asked
  // for it ends, and the others are served on.
  void run();

  // Stops accepting, closes idle connections, lets requests in flight be answered.
  void stop();
  // Closes every connection and cancels its handler, whatever it is doing.
  void abort();
  bool is_drained() const { return state_->sessions.empty(); }
  Load load() const { return {state_->connections, state_->streams}; }  // any thread

 private:
  struct Session;

  // Shared with coroutines: one that is cut off is destroyed with the io_context, after the server.
  struct State {
    std::list<Session*> sessions;
    std::atomic<std::size_t> connections{0};  // their number
    std::atomic<std::size_t> streams{0};
    std::size_t body_bytes = 0;
    bool is_accepting = false;
    bool is_enforcing = false;
  };
  class Running;

  void start_loops();
  boost::asio::awaitable<void> accept(Running running);
  boost::asio::awaitable<void> enforce_deadlines(Running running);
  void start(boost::asio::ip::tcp::socket socket);
  boost::asio::awaitable<void> serve(boost::asio::ip::tcp::socket socket,
                                     boost::asio::cancellation_signal& cancellation);
  static bool has_left(Session& session);
  boost::asio::awaitable<bool> serve_one(Session& session);
  static void close(Session& session);
  boost::asio::awaitable<void> drain(Session& session);
  boost::asio::awaitable<void> refuse(Session& session, Reply reply);
  boost::asio::awaitable<bool> receive_and_reply(Session& session);

  boost::asio::io_context& context_;
  Handle handle_;
  ServerLimits limits_;
  OnReply on_reply_;
  const Tracer tracer_;
  boost::asio::ip::tcp::acceptor acceptor_;
  boost::asio::steady_timer sweep_;
  std::string address_;
  KnownHosts known_hosts_;
  std::shared_ptr<State> state_ = std::make_shared<State>();
  bool is_stopping_ = false;
};

}  // namespace dwell
