#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace dwell {

// An exclusive claim on a file, held by this process until destruction or death, whichever comes
// first.
class FileLock {
 public:
  // Locks the lock file `path` (created if missing) and writes `purpose`, the process id and the
  // time into it. It stays behind when released, which is harmless.
  // What stands there and is no lock file is left as it is: links are not followed, and only an
  // empty file or a former lock file is written over.
  // Errors: retry_later (held; the message says by whom), invalid (cannot be created, no lock
  // file).
  static Result<FileLock> acquire(const std::string& path, std::string_view purpose);

  // Locks a file that is there, whatever else it is called, and leaves it as it is. Where the file
  // system has no such locks, nothing is locked and nothing refused.
  // Errors: retry_later (held), invalid (cannot be opened).
  static Result<FileLock> acquire_as_is(const std::string& path);

  ~FileLock();
  FileLock(FileLock&& other) noexcept
      : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)) {}
  FileLock& operator=(FileLock&&) = delete;

  // Whether the file that is locked still stands under its path: not removed, not replaced.
  bool stands() const;

 private:
  FileLock(std::string path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}

  std::string path_;
  int descriptor_;
};

}  // namespace dwell
