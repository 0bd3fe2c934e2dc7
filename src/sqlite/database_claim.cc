#include "sqlite/database_claim.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <unistd.h>

namespace dwell {
namespace {

constexpr std::string_view kPurpose = "dwell";

// The one name that all symbolic links lead to. Only a file that is there has one.
Result<std::string> real_path(const std::string& path) {
  std::error_code error;
  auto real = std::filesystem::canonical(path, error);
  if (error == std::errc::no_such_file_or_directory) {
    const int made = ::open(path.c_str(), O_WRONLY | O_CREAT | O_NONBLOCK | O_CLOEXEC, 0644);
    if (made < 0) {
      return fail(ErrorKind::invalid,
                  "{}: cannot be created: {}; check that the folder exists and may be written",
                  path, std::strerror(errno));
    }
    ::close(made);
    real = std::filesystem::canonical(path, error);
  }
  const bool is_folder = !error && std::filesystem::is_directory(real, error);
  if (is_folder) return fail(ErrorKind::invalid, "{}: is a folder; name a file in it", path);
  const bool is_file = !error && std::filesystem::is_regular_file(real, error);
  if (error) return fail(ErrorKind::invalid, "{}: cannot be opened: {}", path, error.message());
  if (!is_file) return fail(ErrorKind::invalid, "{}: is no regular file; name another one", path);
  return real.string();
}

Failure gone(const std::string& file) {
  return fail(ErrorKind::retry_later,
              "{}: was removed or replaced while process {} writes it; put the same file back, or "
              "restart the process on what is there now",
              file, ::getpid());
}

}  // namespace

Result<DatabaseClaim> DatabaseClaim::take(const std::string& path) {
  auto real = real_path(path);
  if (!real) return pass(real);
  // First the lock file: whoever it refuses has not opened and closed the database.
  auto name = FileLock::acquire(*real + ".lock", kPurpose);
  if (!name) return pass(name);
  auto file = FileLock::acquire_as_is(*real);
  if (!file) return pass(file);
  DatabaseClaim claim(std::move(*real), std::move(*name), std::move(*file));
  if (auto checked = claim.check(); !checked) return pass(checked);
  return claim;
}

std::vector<std::string> DatabaseClaim::files() const {
  return {path_, path_ + "-wal", path_ + "-shm", path_ + "-journal", path_ + ".lock"};
}

void DatabaseClaim::hold_log() {
  log_ = file_id(path_ + "-wal");
}

Result<void> DatabaseClaim::check() {
  if (!file_.stands()) return gone(path_);
  if (log_ && file_id(path_ + "-wal") != log_) return gone(path_ + "-wal");
  if (name_->stands()) return {};
  // Nobody else has come in: the file itself is locked too. But those to come shall see the name.
  const std::string lock_path = path_ + ".lock";
  auto anew = FileLock::acquire(lock_path, kPurpose);
  if (!anew) return fail(ErrorKind::retry_later, "{}", anew.error().message);
  name_.emplace(std::move(*anew));
  return fail(ErrorKind::retry_later, "{}: was removed or replaced, and is made anew", lock_path);
}

}  // namespace dwell
