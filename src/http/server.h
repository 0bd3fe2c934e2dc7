#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "http/api.h"

namespace dwell {

struct ServerLimits {
  std::size_t header_bytes = 16 * 1024;
  std::size_t body_bytes = 16 << 20;
  std::size_t body_bytes_in_all = 256 << 20;  // being received at one time
  std::size_t connections = 20'000;
  std::chrono::seconds idle{75};   // between requests of one connection
  std::chrono::seconds head{15};   // for a whole head, from its first byte
  std::chrono::seconds body{60};   // for a whole body
  std::chrono::seconds write{60};  // for one piece of a response
  std::chrono::seconds linger{2};  // for what a refused client still sends
};

// Puts an Api on the wire: HTTP/1.1 with keep-alive and pipelining, bounded in every direction.
//
// Runs on one io_context run by one thread; all methods but construction are called there. A slow
// or silent client costs a connection slot for a bounded time and holds up nobody else.
class Server {
 public:
  using OnReply =
      std::function<void(std::string_view route, Status status, std::chrono::nanoseconds took)>;

  Server(boost::asio::io_context& context, Api& api, const ServerLimits& limits, OnReply on_reply);

  // Binds `address`, HOST:PORT; port 0 takes a free one. Errors: invalid.
  Result<void> listen(const std::string& address);
  const std::string& address() const { return address_; }  // HOST:PORT as bound

  // Stops accepting, closes idle connections, lets requests in flight be answered.
  void stop();
  bool is_drained() const { return sessions_.empty(); }

 private:
  struct Session;

  boost::asio::awaitable<void> accept();
  boost::asio::awaitable<void> close_idle();
  boost::asio::awaitable<void> serve(boost::asio::ip::tcp::socket socket);
  boost::asio::awaitable<bool> serve_one(Session& session);
  boost::asio::awaitable<void> read_away(Session& session);
  boost::asio::awaitable<void> refuse(Session& session, Reply reply);
  boost::asio::awaitable<bool> receive_and_reply(Session& session);

  boost::asio::io_context& context_;
  Api& api_;
  ServerLimits limits_;
  OnReply on_reply_;
  boost::asio::ip::tcp::acceptor acceptor_;
  boost::asio::steady_timer sweep_;
  std::string address_;
  std::list<Session*> sessions_;
  std::shared_ptr<std::size_t> body_bytes_ = std::make_shared<std::size_t>(0);
  bool is_stopping_ = false;
};

}  // namespace dwell
