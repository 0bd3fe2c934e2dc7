#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace dwell {

// An exclusive claim on a path, held by this process until destruction or death, whichever comes
// first. The lock file says who holds it; it stays behind when released, which is harmless.
class FileLock {
 public:
  // Locks `path` (created if missing) and writes `purpose`, the process id and the time into it.
  // Errors: retry_later (held; the message says by whom), invalid (cannot be created).
  static Result<FileLock> acquire(const std::string& path, std::string_view purpose);
  ~FileLock();
  FileLock(FileLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  FileLock& operator=(FileLock&&) = delete;

 private:
  explicit FileLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace dwell
