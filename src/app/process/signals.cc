#include "app/process/signals.h"

#include <boost/asio/signal_set.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>
#include <cstdlib>
#include <spdlog/spdlog.h>

#include "app/process/log.h"

namespace dwell {

namespace asio = boost::asio;

namespace {

sigset_t stopping_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  return signals;
}

// And the one that switches the level of the log.
sigset_t held_signals() {
  sigset_t signals = stopping_signals();
  sigaddset(&signals, SIGUSR1);
  return signals;
}

}  // namespace

HeldSignals::HeldSignals() {
  const sigset_t signals = held_signals();
  ::pthread_sigmask(SIG_BLOCK, &signals, &before_);
}

bool HeldSignals::came_within(std::chrono::milliseconds patience) {
  const sigset_t signals = stopping_signals();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(patience);
  const timespec timeout{seconds.count(), std::chrono::nanoseconds(patience - seconds).count()};
  const int signal = ::sigtimedwait(&signals, nullptr, &timeout);
  if (signal < 0) return false;
  spdlog::info("signal {}: stopping", signal);
  return true;
}

void HeldSignals::let_go() {
  if (!are_held_) return;
  are_held_ = false;
  ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

asio::awaitable<void> first_signal() {
  const auto executor = co_await asio::this_coro::executor;
  asio::signal_set signals(executor, SIGINT, SIGTERM, SIGUSR1);
  int signal = co_await signals.async_wait(asio::use_awaitable);
  while (signal == SIGUSR1) {
    switch_debug();
    signal = co_await signals.async_wait(asio::use_awaitable);
  }
  // By the system from here on: it also ends a thread that waits for the disk.
  signals.clear();
  std::signal(SIGUSR1, SIG_IGN);
  for (const int number : {SIGINT, SIGTERM}) {
    std::signal(number, [](int second) { std::_Exit(128 + second); });
  }
  spdlog::info("signal {}: stopping", signal);
}

}  // namespace dwell
