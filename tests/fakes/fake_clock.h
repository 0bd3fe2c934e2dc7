#pragma once

#include <vector>

#include "ports/clock.h"

namespace dwell {

// Virtual time: it stands still until somebody sleeps, and a sleep takes no real time.
class FakeClock final : public Clock {
 public:
  explicit FakeClock(Timestamp start = from_ms(1'000'000)) : now_(start), start_(start) {}

  Timestamp wall() override { return now_; }
  std::chrono::nanoseconds monotonic() override { return now_ - start_; }
  void sleep(Milliseconds duration, const std::stop_token& = {}) override {
    sleeps_.push_back(duration);
    now_ += duration;
  }

  // Every sleep asked for, in order.
  const std::vector<Milliseconds>& sleeps() const { return sleeps_; }

 private:
  Timestamp now_;
  Timestamp start_;
  std::vector<Milliseconds> sleeps_;
};

}  // namespace dwell
