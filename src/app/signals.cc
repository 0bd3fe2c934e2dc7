#include "app/signals.h"

#include <boost/asio/signal_set.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>
#include <cstdlib>
#include <spdlog/spdlog.h>

namespace dwell {

namespace asio = boost::asio;

asio::awaitable<void> first_signal() {
  const auto executor = co_await asio::this_coro::executor;
  asio::signal_set signals(executor, SIGINT, SIGTERM);
  const int signal = co_await signals.async_wait(asio::use_awaitable);
  // By the system from here on: it also ends a thread that waits for the disk.
  signals.clear();
  for (const int number : {SIGINT, SIGTERM}) {
    std::signal(number, [](int second) { std::_Exit(128 + second); });
  }
  spdlog::info("signal {}: stopping", signal);
}

}  // namespace dwell
