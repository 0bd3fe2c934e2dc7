#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <chrono>

#include "http/reply.h"

namespace dwell {

// What of the request decides how a reply goes out.
struct Exchange {
  bool is_head = false;
  bool keeps_alive = true;  // what the client asks for
  bool takes_gzip = false;
  bool takes_chunks = true;  // HTTP/1.1
};

// Writes a reply. True when the connection can carry another request; false when it must be closed,
// also because the reply broke off (its end mark is then missing).
boost::asio::awaitable<bool> write_reply(boost::beast::tcp_stream& stream, Reply reply,
                                         const Exchange& exchange, std::chrono::seconds timeout);

}  // namespace dwell
