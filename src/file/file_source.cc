#include "file/file_source.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/check.h"
#include "base/varint.h"

namespace dwell {
namespace {

constexpr std::size_t kIdentityBytes = 4096;
constexpr unsigned char kMarkVersion = 1;

// docs/formats.md, "File mark".
struct Mark {
  std::uint64_t hashed;  // how many of the file's first bytes the hash covers
  std::string hash;      // 16 bytes
  std::uint64_t now_ms;
  std::uint64_t until;
};

std::string hash_of(std::string_view bytes) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits(bytes.data(), bytes.size()));
  return {reinterpret_cast<const char*>(canonical.digest), sizeof(canonical.digest)};
}

std::string encode(const Mark& mark) {
  std::string out(1, static_cast<char>(kMarkVersion));
  put_varint(out, mark.hashed);
  out += mark.hash;
  put_varint(out, mark.now_ms);
  put_varint(out, mark.until);
  return out;
}

std::optional<Mark> decode(std::string_view in) {
  if (in.empty() || static_cast<unsigned char>(in.front()) != kMarkVersion) return std::nullopt;
  in.remove_prefix(1);
  const auto hashed = take_varint(in);
  if (!hashed || *hashed > kIdentityBytes || in.size() < sizeof(XXH128_canonical_t)) {
    return std::nullopt;
  }
  std::string hash(in.substr(0, sizeof(XXH128_canonical_t)));
  in.remove_prefix(hash.size());
  const auto now_ms = take_varint(in);
  const auto until = take_varint(in);
  if (!now_ms || *now_ms > static_cast<std::uint64_t>(to_ms(kLatest)) || !until ||
      *until > INT64_MAX || !in.empty()) {
    return std::nullopt;
  }
  return Mark{*hashed, std::move(hash), *now_ms, *until};
}

bool is_standard_input(const std::string& path) {
  return path == "-";
}

// Why something cannot be followed; empty: it can.
std::string_view unfit_to_follow(mode_t mode) {
  if (S_ISREG(mode) || S_ISFIFO(mode) || S_ISDIR(mode))
    return "";  // a folder has a word of its own
  return S_ISSOCK(mode) ? "is a socket" : "is a device";
}

// Files of /proc and the like say they are empty, and yet there is something to read.
bool has_true_size(int descriptor) {
  struct stat status {};
  char byte;
  const auto says_empty = [&] { return ::fstat(descriptor, &status) == 0 && status.st_size == 0; };
  return !says_empty() || ::pread(descriptor, &byte, 1, 0) != 1 || !says_empty();
}

bool is_blank(const char* start, std::size_t length) {
  return std::all_of(start, start + length,
                     [](char c) { return c == ' ' || c == '\t' || c == '\r'; });
}

}  // namespace

Failure cannot_open(const std::string& path, int code) {
  auto kind = ErrorKind::invalid;
  if (code == ENOENT) kind = ErrorKind::not_found;
  if (code == EMFILE || code == ENFILE || code == ENOMEM) kind = ErrorKind::retry_later;
  return fail(kind, "{}: cannot be read: {}", path, std::strerror(code));
}

Result<std::unique_ptr<FileSource>> FileSource::open(const std::string& path,
                                                     const FileLimits& limits, Clock& clock,
                                                     Reading reading) {
  CHECK(limits.record_bytes >= 1024 && limits.batch_records >= 1);
  struct stat status {};
  if (is_standard_input(path)) {
    const bool is_folder = ::fstat(STDIN_FILENO, &status) == 0 && S_ISDIR(status.st_mode);
    if (is_folder) return fail(ErrorKind::invalid, "{}: is a folder; name the files in it", path);
    return std::unique_ptr<FileSource>(
        new FileSource(path, STDIN_FILENO, false, limits, clock, reading));
  }
  const bool is_followed = reading == Reading::follow;
  const auto refuse = [&](std::string_view why) {
    return fail(ErrorKind::invalid,
                "{}: {} and cannot be followed; name a file or a FIFO, or - for "
                "standard input",
                path, why);
  };
  // Looked at before it is opened: for some devices that alone has an effect.
  if (::stat(path.c_str(), &status) == 0 && is_followed) {
    if (const auto why = unfit_to_follow(status.st_mode); !why.empty()) return refuse(why);
  }
  const int flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | (is_followed ? O_NONBLOCK : 0);
  const int descriptor = ::open(path.c_str(), flags);
  if (descriptor < 0) return cannot_open(path, errno);
  std::error_code error;
  std::string name = std::filesystem::canonical(path, error).string();
  const bool is_known = ::fstat(descriptor, &status) == 0;
  const bool is_regular = is_known && S_ISREG(status.st_mode);
  std::unique_ptr<FileSource> source(new FileSource(error ? path : std::move(name), descriptor,
                                                    is_regular, limits, clock, reading));
  if (is_known && S_ISDIR(status.st_mode)) {
    return fail(ErrorKind::invalid, "{}: is a folder; name the files in it", path);
  }
  if (!is_followed) return source;
  if (const auto why = unfit_to_follow(status.st_mode); !why.empty()) return refuse(why);
  if (is_regular && !has_true_size(descriptor)) return refuse("does not tell its size");
  return source;
}

FileSource::FileSource(std::string name, int descriptor, bool is_regular, const FileLimits& limits,
                       Clock& clock, Reading reading)
    : name_(std::move(name)),
      descriptor_(descriptor),
      is_regular_(is_regular),
      limits_(limits),
      clock_(clock),
      reading_(reading),
      is_followed_(reading == Reading::follow) {}

FileSource::~FileSource() {
  if (descriptor_ != STDIN_FILENO) ::close(descriptor_);
}

std::uint64_t FileSource::size() const {
  struct stat status {};
  if (!is_regular_ || ::fstat(descriptor_, &status) != 0) return 0;
  return static_cast<std::uint64_t>(status.st_size);
}

FileSource::ClockReading FileSource::read_clock() const {
  return {clock_.wall(), static_cast<Offset>(size())};
}

Result<void> FileSource::seek(PartitionId /*partition*/, std::span<const Position> committed) {
  filled_ = consumed_ = 0;
  at_end_ = false;
  oversized_start_.reset();
  if (!is_regular_) {
    if (next_ == 0) return {};
    return fail(ErrorKind::fatal,
                "{}: cannot go back in a stream; what was committed stays, the rest must be sent "
                "again",
                name_);
  }
  next_ = 0;
  reading_of_clock_ = read_clock();
  const auto known = std::find_if(committed.begin(), committed.end(),
                                  [&](const Position& p) { return p.source == name_; });
  if (known != committed.end()) {
    if (auto same = check_identity(*known); !same) return same;
    next_ = known->next;
  }
  buffer_offset_ = next_;
  if (::lseek(descriptor_, next_, SEEK_SET) != next_) {
    return fail(ErrorKind::fatal, "{}: cannot seek to byte {}: {}", name_, next_,
                std::strerror(errno));
  }
  return {};
}

Result<void> FileSource::check_identity(const Position& position) {
  const auto mark = decode(position.mark);
  if (!mark) return fail(ErrorKind::fatal, "{}: its stored position is damaged", name_);
  if (size() < static_cast<std::uint64_t>(position.next)) {
    return fail(
        ErrorKind::invalid,
        "{}: has {} bytes, but {} were read from it before, so it was cut or replaced; give "
        "the new file another name, or replay it into another --db",
        name_, size(), position.next);
  }
  const auto first_bytes = head(mark->hashed);
  if (!first_bytes) return pass(first_bytes);
  if (hash_of(*first_bytes) != mark->hash) {
    return fail(ErrorKind::invalid,
                "{}: its first {} bytes differ from the file read before under this name; give the "
                "new file another name, or replay it into another --db",
                name_, mark->hashed);
  }
  // What was there when the first reading began keeps its time; what came since gets a new one.
  if (position.next < static_cast<Offset>(mark->until)) {
    reading_of_clock_ = {from_ms(static_cast<std::int64_t>(mark->now_ms)),
                         static_cast<Offset>(mark->until)};
  }
  return {};
}

Result<std::string> FileSource::head(std::size_t length) const {
  std::string bytes(length, '\0');
  std::size_t got = 0;
  while (got < length) {
    const auto n = ::pread(descriptor_, bytes.data() + got, length - got, static_cast<off_t>(got));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      return fail(ErrorKind::fatal, "{}: cannot read its first bytes: {}", name_,
                  n < 0 ? std::strerror(errno) : "it became shorter");
    }
    got += static_cast<std::size_t>(n);
  }
  return bytes;
}

Result<std::string> FileSource::mark() const {
  if (!is_regular_) return std::string();
  const auto hashed = std::min<std::size_t>(kIdentityBytes, static_cast<std::size_t>(next_));
  auto first_bytes = head(hashed);
  if (!first_bytes) return first_bytes;
  return encode({hashed, hash_of(*first_bytes),
                 static_cast<std::uint64_t>(to_ms(reading_of_clock_.now)),
                 static_cast<std::uint64_t>(reading_of_clock_.until)});
}

Result<Position> FileSource::position() const {
  auto position_mark = mark();
  if (!position_mark) return pass(position_mark);
  return Position{name_, next_, std::move(*position_mark)};
}

FileSource::Written FileSource::written() const {
  struct stat status {};
  ::fstat(descriptor_, &status);
  return {status.st_mtim.tv_sec, status.st_mtim.tv_nsec};
}

FileId FileSource::id() const {
  return file_id(descriptor_).value_or(FileId{});
}

Result<Batch> FileSource::poll() {
  const Offset before = next_;
  records_.clear();
  positions_.clear();
  // A line longer than the buffer, or one that a stream delivers in pieces, is followed to its end
  // here: an empty batch would say that nothing new is there. Up to a bound: who polls has others
  // to look after.
  bool has_grown = false;
  const Offset bound = known_to() + static_cast<Offset>(limits_.poll_bytes);
  is_within_line_ = false;
  do {
    if (known_to() >= bound) {
      is_within_line_ = true;
      break;
    }
    const Offset known_before = known_to();
    if (auto filled = fill(); !filled) return pass(filled);
    has_grown = known_to() != known_before;
    if (!is_regular_) reading_of_clock_.now = clock_.wall();
    split();
  } while (has_grown && records_.empty() && next_ == before && !at_end_);
  if (next_ != before) {
    auto reached = position();
    if (!reached) return pass(reached);
    positions_.push_back(std::move(*reached));
  }
  slice_ = {0, records_, positions_};
  return Batch{{&slice_, 1}, at_end_ && consumed_ == filled_};
}

// Moves what is left of the last batch to the front and reads behind it: a file until the buffer is
// full, a stream what is there now; reading to the end waits while no whole line is in hand.
Result<void> FileSource::fill() {
  if (buffer_.empty()) buffer_.resize(std::max(limits_.batch_bytes, 2 * limits_.record_bytes));
  std::memmove(buffer_.data(), buffer_.data() + consumed_, filled_ - consumed_);
  buffer_offset_ += static_cast<Offset>(consumed_);
  filled_ -= consumed_;
  consumed_ = 0;
  bool may_wait = is_regular_ || (reading_ == Reading::to_end &&
                                  std::memchr(buffer_.data(), '\n', filled_) == nullptr);
  while (filled_ < buffer_.size() && !at_end_) {
    if (!may_wait) {
      pollfd ready{descriptor_, POLLIN, 0};
      if (::poll(&ready, 1, 0) == 0) return {};
    }
    const auto n = ::read(descriptor_, buffer_.data() + filled_, buffer_.size() - filled_);
    if (n < 0 && errno == EINTR) {
      if (is_regular_) continue;
      return {};  // a signal asked for something: let the caller look
    }
    if (n < 0 && errno == EAGAIN && (reading_ == Reading::follow || is_followed_)) {
      at_end_ = reading_ == Reading::to_end;  // finished with: nobody is waited for
      return {};
    }
    if (n < 0 && errno == EAGAIN) {  // made not to wait by whoever gave it to us
      pollfd ready{descriptor_, POLLIN, 0};
      (void)::poll(&ready, 1, -1);
      continue;
    }
    if (n < 0) {
      return fail(ErrorKind::fatal, "{}: cannot be read at byte {}: {}", name_,
                  buffer_offset_ + static_cast<Offset>(filled_), std::strerror(errno));
    }
    const bool may_grow = reading_ == Reading::follow && descriptor_ != STDIN_FILENO;
    if (n == 0 && may_grow) return {};
    at_end_ = n == 0;
    may_wait = is_regular_;
    filled_ += static_cast<std::size_t>(n);
  }
  return {};
}

// Cuts whole lines off the buffer. A line that fills more than the record limit is followed to its
// end in pieces, its beginning kept.
void FileSource::split() {
  const auto has_more = [&] { return consumed_ < filled_ || (at_end_ && oversized_start_); };
  while (has_more() && records_.size() < limits_.batch_records) {
    const char* start = buffer_.data() + consumed_;
    const std::size_t rest = filled_ - consumed_;
    const auto* newline = static_cast<const char*>(std::memchr(start, '\n', rest));
    const std::size_t length = newline ? static_cast<std::size_t>(newline - start) : rest;
    const Offset line_end = buffer_offset_ + static_cast<Offset>(consumed_ + length);
    const bool is_whole = newline || at_end_;

    if (!is_whole) {
      if (!oversized_start_ && length <= limits_.record_bytes) return;
      if (!oversized_start_) {
        // Its end is not in sight. A batch in hand goes first: the kept beginning is only one.
        if (!records_.empty()) return;
        oversized_start_ = buffer_offset_ + static_cast<Offset>(consumed_);
        oversized_head_.assign(start, limits_.record_bytes);
      }
      consumed_ = filled_;
      return;
    }
    if (oversized_start_) {
      const auto total = static_cast<std::uint64_t>(line_end - *oversized_start_);
      add_record(oversized_head_.data(), oversized_head_.size(), total);
      oversized_start_.reset();
    } else if (length > limits_.record_bytes) {
      add_record(start, limits_.record_bytes, length);
    } else if (!is_blank(start, length)) {
      add_record(start, length, 0);
    }
    consumed_ += length + (newline ? 1 : 0);
    next_ = buffer_offset_ + static_cast<Offset>(consumed_);
  }
}

// `next_` still is where the record begins.
void FileSource::add_record(const char* start, std::size_t length, std::uint64_t truncated_from) {
  records_.push_back({std::string_view(start, length), 0, next_, now_at(next_), truncated_from});
}

Timestamp FileSource::now_at(Offset offset) {
  if (is_regular_ && offset >= reading_of_clock_.until) reading_of_clock_ = read_clock();
  return reading_of_clock_.now;
}

}  // namespace dwell
