#include "base/file_lock.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/file_id.h"
#include "base/timestamp.h"

namespace dwell {

Result<FileLock> FileLock::acquire(const std::string& path, std::string_view purpose) {
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor < 0) {
    return fail(ErrorKind::invalid, "{}: cannot be created: {}", path, std::strerror(errno));
  }
  FileLock lock(path, descriptor);
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    std::array<char, 256> holder{};
    const auto n = ::pread(descriptor, holder.data(), holder.size() - 1, 0);
    std::string who(holder.data(), n > 0 ? static_cast<std::size_t>(n) : 0);
    while (!who.empty() && who.back() == '\n') who.pop_back();
    return fail(ErrorKind::retry_later, "{}: locked by {}; stop that process first", path,
                who.empty() ? "another process" : who);
  }
  if (!lock.stands()) {
    return fail(ErrorKind::retry_later, "{}: was removed while it was locked; try again", path);
  }
  const auto now = std::chrono::floor<Milliseconds>(std::chrono::system_clock::now());
  const auto holder =
      fmt::format("process {} ({}, since {})\n", ::getpid(), purpose, format_rfc3339(now));
  if (::ftruncate(descriptor, 0) != 0 ||
      ::pwrite(descriptor, holder.data(), holder.size(), 0) < 0) {
    return fail(ErrorKind::invalid, "{}: cannot be written: {}", path, std::strerror(errno));
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
