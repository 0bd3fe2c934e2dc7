#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <chrono>
#include <string>
#include <vector>

#include "http/wire.h"

namespace dwell {

struct ServerLimits {
  std::size_t header_bytes = 16 * 1024;
  std::size_t framing_bytes = 64 * 1024;  // chunk heads beyond the shortest, extensions, trailers
  std::size_t body_bytes = 16 << 20;
  std::size_t body_bytes_in_all = 256 << 20;  // being received at one time, or held of them
  std::size_t connections = 20'000;
  std::chrono::milliseconds idle{75'000};   // between requests of one connection
  std::chrono::milliseconds head{15'000};   // for a whole head, from its first byte
  std::chrono::milliseconds body{60'000};   // for a whole body
  std::chrono::milliseconds write{60'000};  // for one piece of a response
  std::chrono::milliseconds linger{2'000};  // for what a refused client still sends
  std::vector<std::string> hosts;           // names clients may call it by, see KnownHosts
};

// A client's connection, what is read of it and not yet parsed, and what it is about.
struct Connection {
  enum class Doing { waiting, receiving, handling, answering, leaving };

  Connection(boost::asio::ip::tcp::socket socket, std::size_t most_unread)
      : socket(std::move(socket)), unread(most_unread) {}

  void start(Doing what, std::chrono::milliseconds time) {
    doing = what;
    deadline.start(time);
  }

  boost::asio::ip::tcp::socket socket;
  boost::beast::flat_buffer unread;
  Doing doing = Doing::waiting;
  Deadline deadline;
};

}  // namespace dwell
