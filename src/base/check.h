#pragma once

#include <cstdio>
#include <cstdlib>

namespace dwell::internal {

[[noreturn]] inline void check_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "dwell: internal error: %s does not hold (%s:%d)\n", condition, file, line);
  std::abort();
}

}  // namespace dwell::internal

// An invariant of the program itself, checked in release builds too. Input can never reach a
// failing CHECK: whatever a user, a file or a peer can send is answered with an Error instead.
#define CHECK(condition)                                               \
  do {                                                                 \
    if (!(condition)) [[unlikely]]                                     \
      ::dwell::internal::check_failed(#condition, __FILE__, __LINE__); \
  } while (false)
