#pragma once

#include <cstddef>

namespace dwell {

struct IntakeLimits {
  std::size_t queued_bytes = 64 << 20;  // waiting or in commit; more is refused
  std::size_t batch_records = 10'000;   // committed together, at least one submission
};

}  // namespace dwell
