#pragma once

#include <cstddef>

namespace dwell {

struct FileLimits {
  std::size_t record_bytes = 1 << 20;  // a longer line is too_large; at least 1 KiB
  std::size_t batch_records = 100'000;
  std::size_t batch_bytes = 16 << 20;  // raised to hold two of the longest records
  std::size_t poll_bytes = 64 << 20;   // of a line without end, before others get their turn
};

}  // namespace dwell
