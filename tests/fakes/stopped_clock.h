#pragma once

#include <gtest/gtest.h>

#include "ports/clock.h"

namespace dwell {

// Time stands still, but for pass(): a source that follows a file never waits.
class StoppedClock final : public Clock {
 public:
  Timestamp wall() override { return from_ms(1'000); }
  std::chrono::nanoseconds monotonic() override { return monotonic_; }
  void sleep(Milliseconds, const std::stop_token&) override { FAIL() << "a source does not sleep"; }

  void pass(std::chrono::nanoseconds duration) { monotonic_ += duration; }

 private:
  std::chrono::nanoseconds monotonic_{};
};

}  // namespace dwell
