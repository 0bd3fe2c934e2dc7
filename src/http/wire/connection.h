#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <chrono>
#include <string>
#include <vector>

#include "http/wire/server_limits.h"
#include "http/wire/wire.h"

namespace dwell {

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
