#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include "http/server.h"

namespace dwell {

// Waits for the first signal; then the server takes no more requests, and the context ends when
// those in flight are answered, or after a short time.
boost::asio::awaitable<void> stop_on_signal(boost::asio::io_context& context, Server& server);

// Closes the connections that are left, and lets them notice, before what they refer to ends. The
// context has been run to its end.
void end_connections(boost::asio::io_context& context, Server& server);

}  // namespace dwell
