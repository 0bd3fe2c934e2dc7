#pragma once

#include <optional>

#include "base/timestamp.h"

namespace dwell {

// What is done now and then to rows for their age.
struct UpkeepOptions {
  std::optional<Milliseconds> retention = {};       // older ones are dropped
  std::optional<Milliseconds> compress_after = {};  // chunks of older ones are compressed
};

}  // namespace dwell
