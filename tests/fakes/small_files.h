#pragma once

#include "file/file_source.h"

namespace dwell {

// Bounds that a test's short file passes.
inline constexpr FileLimits kSmall{
    .record_bytes = 1024, .batch_records = 1000, .batch_bytes = 2048};
inline constexpr FileLimits kOneByOne{
    .record_bytes = 1024, .batch_records = 1, .batch_bytes = 2048};

}  // namespace dwell
