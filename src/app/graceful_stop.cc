#include "app/graceful_stop.h"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "app/signals.h"

namespace dwell {
namespace {

namespace asio = boost::asio;

constexpr std::chrono::seconds kDrain{3};             // for requests in flight, once asked to stop
constexpr std::chrono::milliseconds kLastWords{200};  // for connections to notice their end

}  // namespace

asio::awaitable<void> stop_on_signal(asio::io_context& context, Server& server) {
  co_await first_signal();
  server.stop();
  asio::steady_timer timer(context);
  const auto deadline = std::chrono::steady_clock::now() + kDrain;
  while (!server.is_drained() && std::chrono::steady_clock::now() < deadline) {
    timer.expires_after(std::chrono::milliseconds(10));
    co_await timer.async_wait(asio::use_awaitable);
  }
  context.stop();
}

void end_connections(asio::io_context& context, Server& server) {
  server.abort();
  context.restart();
  context.run_for(kLastWords);
}

}  // namespace dwell
