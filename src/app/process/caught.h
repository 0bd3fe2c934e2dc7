#pragma once

#include <exception>
#include <new>

#include "base/result.h"

namespace dwell {

// Runs `work`. What is thrown in it for want of memory or threads is an error like any other.
template <typename Work>
Result<void> caught(Work work) try {
  return work();
} catch (const std::bad_alloc&) {
  return fail(ErrorKind::fatal, "out of memory; what was committed is safe");
} catch (const std::exception& error) {
  return fail(ErrorKind::fatal, "{}; what was committed is safe", error.what());
}

}  // namespace dwell
