#pragma once

#include <chrono>
#include <stop_token>

#include "base/timestamp.h"

namespace dwell {

// The only way to know or to pass time, so that tests can own it. Any thread.
class Clock {
 public:
  virtual ~Clock() = default;

  virtual Timestamp wall() = 0;                      // UTC, in [kEarliest, kLatest]
  virtual std::chrono::nanoseconds monotonic() = 0;  // since some fixed point, never backwards
  // Ends early when `stop` is asked for.
  virtual void sleep(Milliseconds duration, const std::stop_token& stop = {}) = 0;
};

}  // namespace dwell
