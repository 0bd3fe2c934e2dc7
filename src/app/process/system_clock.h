#pragma once

#include <algorithm>
#include <condition_variable>
#include <mutex>

#include "ports/clock.h"

namespace dwell {

// The machine's clocks.
class SystemClock final : public Clock {
 public:
  Timestamp wall() override {
    const auto now = std::chrono::floor<Milliseconds>(std::chrono::system_clock::now());
    return std::clamp(now, kEarliest, kLatest);
  }
  std::chrono::nanoseconds monotonic() override {
    return std::chrono::steady_clock::now().time_since_epoch();
  }
  void sleep(Milliseconds duration, const std::stop_token& stop) override {
    std::mutex mutex;
    std::unique_lock lock(mutex);
    std::condition_variable_any().wait_for(lock, stop, duration, [] { return false; });
  }
};

}  // namespace dwell
