#pragma once

#include "base/result.h"

namespace dwell {

inline constexpr int kFailed = 1;
inline constexpr int kUsage = 2;  // what the user asked for or has set up is wrong

// Of a process that ends because of `error`.
inline int exit_status(const Error& error) {
  return error.kind == ErrorKind::invalid ? kUsage : kFailed;
}

}  // namespace dwell
