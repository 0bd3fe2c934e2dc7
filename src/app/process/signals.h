#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <csignal>

namespace dwell {

// Keeps SIGINT, SIGTERM and SIGUSR1 back until it ends, or is told to let them go: a start that is
// stopped ends as any other stop does. For the thread that makes it, before it makes others.
class HeldSignals {
 public:
  HeldSignals();
  ~HeldSignals() { let_go(); }
  HeldSignals(const HeldSignals&) = delete;
  HeldSignals& operator=(const HeldSignals&) = delete;

  // Whether one that stops came, or comes within `patience`; it is logged and done with.
  bool came_within(std::chrono::milliseconds patience);

  // To whoever looks out for them by now.
  void let_go();

 private:
  sigset_t before_;
  bool are_held_ = true;
};

// Waits for SIGINT or SIGTERM; until then, each SIGUSR1 switches the log to debug or back. Once it
// came, the next one ends the process at once, with status 128 + its number, whatever its threads
// wait for.
boost::asio::awaitable<void> first_signal();

}  // namespace dwell
