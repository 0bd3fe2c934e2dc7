#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/file_id.h"
#include "base/file_lock.h"
#include "base/result.h"

namespace dwell {

// The sole right of this process to write a database file, whatever the file is called.
//
// Two locks: FILE.lock says who holds it, FILE being the real name behind all symbolic links; and
// the file itself is locked, which no hard link and no mount leads around. That lock (flock) is
// independent of SQLite's own (fcntl), but closing its descriptor would drop SQLite's: the claim
// must outlive every connection that this process has to the file. Not thread-safe.
class DatabaseClaim {
 public:
  // Creates the file, empty, when there is none. Errors: retry_later (held; says by whom), invalid
  // (a folder, cannot be made).
  static Result<DatabaseClaim> take(const std::string& path);

  const std::string& path() const { return path_; }  // absolute, links resolved

  // The file and what SQLite and the claim keep beside it.
  std::vector<std::string> files() const;

  // The log that stands beside the file now is the one in use, or none is.
  void hold_log();
  void release_log() { log_.reset(); }

  // Whether file, log and lock file still stand under their names. What is committed into a file
  // that was removed is lost with this process. Errors: retry_later (says which file is gone).
  Result<void> check();

 private:
  DatabaseClaim(std::string path, FileLock name, FileLock file)
      : path_(std::move(path)), name_(std::move(name)), file_(std::move(file)) {}

  std::string path_;
  std::optional<FileLock> name_;  // never empty; optional so that it can be made anew
  FileLock file_;
  std::optional<FileId> log_;
};

}  // namespace dwell
