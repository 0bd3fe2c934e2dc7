#pragma once

#include <algorithm>
#include <thread>

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
  void sleep(Milliseconds duration) override { std::this_thread::sleep_for(duration); }
};

}  // namespace dwell
