#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <memory>
#include <utility>

#include "base/result.h"

namespace dwell {

// Lets the coroutines of one thread do something one after the other, in the order of asking.
// The next turn begins behind all else that is ready on the thread, so that many long works, each
// of which lets the thread go once within its turn, hold up nobody but each other. Copies share the
// turns.
class Turns {
 public:
  struct Bounds {
    std::size_t waiting = 100'000;                                // askers; more are refused
    std::chrono::milliseconds patience = std::chrono::hours(24);  // of each of them
  };

  explicit Turns(const Bounds& bounds);

  // A turn, until its end.
  class Turn;

  // Waits for the turn. Who is cancelled meanwhile gives its place up. Errors: retry_later, where
  // too many wait, it took too long or the asker was cancelled.
  boost::asio::awaitable<Result<Turn>> take();

 private:
  class State;
  std::shared_ptr<State> state_;  // shared with turns and askers that outlive this
};

class Turns::Turn {
 public:
  explicit Turn(std::shared_ptr<State> state) : state_(std::move(state)) {}
  ~Turn();
  Turn(Turn&&) = default;
  Turn& operator=(Turn&&) = delete;

 private:
  std::shared_ptr<State> state_;
};

}  // namespace dwell
