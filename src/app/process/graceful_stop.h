#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>

#include "base/result.h"

namespace dwell {

class Server;

// From the signal to the end of the process, whatever its threads wait for: SIGTERM ends it within
// five seconds.
inline constexpr std::chrono::milliseconds kLongestStop{4'800};

// Waits for the first signal; then the server takes no more requests, and the context ends when
// those in flight are answered, or after a short time. The process ends within kLongestStop.
boost::asio::awaitable<void> stop_on_signal(boost::asio::io_context& context, Server& server);

// Logs why the process ends by itself, before anything else is ended, and ends the context. The
// process ends within kLongestStop. Any thread.
void stop_because(const Error& reason, boost::asio::io_context& context);

// Closes the connections that are left, and lets them notice, before what they refer to ends. The
// context has been run to its end.
void end_connections(boost::asio::io_context& context, Server& server);

// Unless the process ends before, it ends after `patience` with `status`. A signal handler ends it,
// so that no thread can hold it up: librdkafka may wait for ever for a topic that was deleted. What
// was committed is safe, as after kill -9. Asked again, the first end stands.
void end_within(std::chrono::milliseconds patience, int status);

// Calls end_within() off. Only tests go on.
void call_off_end();

}  // namespace dwell
