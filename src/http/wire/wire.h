#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>

#include "http/wire/reply.h"

namespace dwell {

// What of the request decides how a reply goes out.
struct Exchange {
  bool is_head = false;
  bool keeps_alive = true;  // what the client asks for
  bool takes_gzip = false;
  bool takes_chunks = true;  // HTTP/1.1
};

// When what a connection is doing must be over. Only kept here; somebody else looks at it.
class Deadline {
 public:
  void start(std::chrono::milliseconds time) {
    time_ = time;
    restart();
  }
  // Progress was made: the same time again.
  void restart() { end_ = std::chrono::steady_clock::now() + time_; }
  bool is_over(std::chrono::steady_clock::time_point now) const { return end_ < now; }

 private:
  std::chrono::milliseconds time_{0};
  std::chrono::steady_clock::time_point end_;
};

// Writes a reply, the deadline being that of each piece of it. True when the connection can carry
// another request; false when it must be closed, also because the reply broke off (its end mark is
// then missing).
boost::asio::awaitable<bool> write_reply(boost::asio::ip::tcp::socket& socket, Deadline& deadline,
                                         Reply reply, const Exchange& exchange);

}  // namespace dwell
