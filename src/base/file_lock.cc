#include "base/file_lock.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file_id.h"
#include "base/timestamp.h"

namespace dwell {
namespace {

constexpr std::size_t kLongestHolder = 255;

// What a lock file says while it is held and afterwards, in one line.
std::string holder_line(std::string_view purpose) {
  const auto now = std::chrono::floor<Milliseconds>(std::chrono::system_clock::now());
  return fmt::format("process {} ({}, since {})\n", ::getpid(), purpose, format_rfc3339(now));
}

// Whether holder_line() made it, of this release or another.
bool is_holder_line(std::string_view text) {
  constexpr std::string_view kStart = "process ";
  if (text.size() > kLongestHolder || !text.starts_with(kStart)) return false;
  const auto after_number = text.find_first_not_of("0123456789", kStart.size());
  return after_number != kStart.size() && after_number != text.npos &&
         text.substr(after_number).starts_with(" (") && text.find('\n') == text.size() - 1;
}

// Its first bytes, one more than a lock file can have.
std::string content_of(int descriptor) {
  std::array<char, kLongestHolder + 1> bytes{};
  const auto n = ::pread(descriptor, bytes.data(), bytes.size(), 0);
  return {bytes.data(), n > 0 ? static_cast<std::size_t>(n) : 0};
}

Failure no_lock_file(const std::string& path, std::string_view what) {
  return fail(ErrorKind::invalid,
              "{}: {}; move it away, so that a lock file can be made in its place", path, what);
}

// Why nothing of its kind is a lock file; empty: it is a file.
std::string_view unfit(mode_t mode) {
  if (S_ISREG(mode)) return "";
  if (S_ISLNK(mode)) return "is a symbolic link";
  return S_ISDIR(mode) ? "is a folder" : "is no regular file";
}

// Opens the lock file or makes it, and never what a link leads to. Looked at before it is opened:
// for some devices that alone has an effect.
Result<int> open_lock_file(const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) == 0) {
    if (const auto why = unfit(status.st_mode); !why.empty()) return no_lock_file(path, why);
  }
  const int descriptor =
      ::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0644);
  if (descriptor < 0) {
    return fail(ErrorKind::invalid,
                "{}: cannot be created: {}; check that the folder exists and may be written", path,
                std::strerror(errno));
  }
  return descriptor;
}

// Whether what is open, and locked, may be written over. An empty file with further names may be
// anything that somebody is about to fill.
Result<void> check_is_lock_file(const std::string& path, int descriptor) {
  struct stat status {};
  if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
    return no_lock_file(path, "is no regular file");
  }
  const bool is_fresh = status.st_size == 0 && status.st_nlink <= 1;
  if (is_fresh || is_holder_line(content_of(descriptor))) return {};
  return no_lock_file(path, status.st_nlink > 1 ? "is another name of a file that is no lock file"
                                                : "holds something else than a lock file does");
}

}  // namespace

Result<FileLock> FileLock::acquire(const std::string& path, std::string_view purpose) {
  const auto descriptor = open_lock_file(path);
  if (!descriptor) return pass(descriptor);
  FileLock lock(path, *descriptor);
  if (::flock(*descriptor, LOCK_EX | LOCK_NB) != 0) {
    std::string who = content_of(*descriptor);
    if (!is_holder_line(who)) who = "another process\n";
    who.pop_back();
    return fail(ErrorKind::retry_later, "{}: locked by {}; stop that process first", path, who);
  }
  if (!lock.stands()) {
    return fail(ErrorKind::retry_later, "{}: was removed while it was locked; try again", path);
  }
  if (auto checked = check_is_lock_file(path, *descriptor); !checked) return pass(checked);
  const auto holder = holder_line(purpose);
  if (::ftruncate(*descriptor, 0) != 0 || ::pwrite(*descriptor, holder.data(), holder.size(), 0) !=
                                              static_cast<ssize_t>(holder.size())) {
    const int code = errno;
    (void)::ftruncate(*descriptor, 0);  // part of a line would be no lock file to the next process
    return fail(
        ErrorKind::invalid, "{}: cannot be written: {}; {}", path, std::strerror(code),
        code == EFBIG ? "raise the limit of file sizes (ulimit -f)" : "free some disk space");
  }
  return lock;
}

Result<FileLock> FileLock::acquire_as_is(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (descriptor < 0) {
    return fail(ErrorKind::invalid, "{}: cannot be opened: {}", path, std::strerror(errno));
  }
  FileLock lock(path, descriptor);
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    return fail(ErrorKind::retry_later,
                "{}: locked by another process, which has this file under another name; stop that "
                "process first",
                path);
  }
  return lock;
}

bool FileLock::stands() const {
  const auto held = file_id(descriptor_);
  return held && held == file_id(path_);
}

FileLock::~FileLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace dwell
