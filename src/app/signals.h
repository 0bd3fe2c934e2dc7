#pragma once

#include <boost/asio/awaitable.hpp>

namespace dwell {

// Waits for SIGINT or SIGTERM. Once it came, the next one ends the process at once, with status
// 128 + its number, whatever its threads wait for.
boost::asio::awaitable<void> first_signal();

}  // namespace dwell
