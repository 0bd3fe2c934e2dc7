#pragma once

#include <gtest/gtest.h>

#include "ports/clock.h"

namespace dwell {

// Time stands still: a source that follows a file never waits.
class StoppedClock final : public Clock {
 public:
  Timestamp wall() override { return from_ms(1'000); }
  std::chrono::nanoseconds monotonic() override { return {}; }
  void sleep(Milliseconds, const std::stop_token&) override { FAIL() << "a source does not sleep"; }
};

}  // namespace dwell
