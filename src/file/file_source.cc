#include "file/file_source.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <limits>
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
constexpr std::size_t kPackedBytes = 64 << 10;  // read at once of a packed file
constexpr std::chrono::seconds kSettled{1};     // a last line that has not grown for this long
constexpr Offset kNoEnd = std::numeric_limits<Offset>::max();

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

std::string_view text_of(Form form) {
  switch (form) {
    case Form::lines:
      return "lines";
    case Form::json:
      return "a JSON array, or objects over several lines";
    case Form::wrapped_json:
      return "an answer of GET /timeline in JSON";
    case Form::csv:
      return "CSV";
  }
  return "";
}

Failure cannot_follow(const std::string& path, std::string_view kind) {
  return fail(ErrorKind::invalid,
              "{}: is {}, and only one JSON object a line can be followed; `dwell replay` reads it",
              path, kind);
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
                                                     Reading reading, const Mapping& mapping) {
  CHECK(limits.record_bytes >= 1024 && limits.batch_records >= 1);
  struct stat status {};
  if (is_standard_input(path)) {
    const bool is_folder = ::fstat(STDIN_FILENO, &status) == 0 && S_ISDIR(status.st_mode);
    if (is_folder) return fail(ErrorKind::invalid, "{}: is a folder; name the files in it", path);
    return std::unique_ptr<FileSource>(
        new FileSource(path, STDIN_FILENO, false, limits, clock, reading, mapping));
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
                                                    is_regular, limits, clock, reading, mapping));
  if (is_known && S_ISDIR(status.st_mode)) {
    return fail(ErrorKind::invalid, "{}: is a folder; name the files in it", path);
  }
  if (!is_followed) return source;
  if (const auto why = unfit_to_follow(status.st_mode); !why.empty()) return refuse(why);
  if (is_regular && !has_true_size(descriptor)) return refuse("does not tell its size");
  if (auto checked = source->check_is_lines(); !checked) return pass(checked);
  return source;
}

FileSource::FileSource(std::string name, int descriptor, bool is_regular, const FileLimits& limits,
                       Clock& clock, Reading reading, const Mapping& mapping)
    : name_(std::move(name)),
      descriptor_(descriptor),
      is_regular_(is_regular),
      limits_(limits),
      clock_(clock),
      reading_(reading),
      is_followed_(reading == Reading::follow),
      mapping_(mapping) {}

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
  at_end_ = has_records_ = has_end_mark_ = false;
  oversized_start_.reset();
  if (!is_regular_) {
    if (next_ == 0) return {};
    return fail(ErrorKind::fatal,
                "{}: cannot go back in a stream; what was committed stays, the rest must be sent "
                "again",
                name_);
  }
  packing_.reset();
  layout_.reset();
  unpacker_.reset();
  damage_.reset();
  tail_end_ = -1;
  next_ = buffer_offset_ = 0;
  std::string first_bytes;
  if (!is_followed_) {
    auto read = head(kHeadBytes);
    if (!read) return pass(read);
    first_bytes = std::move(*read);
    packing_ = packing_of(first_bytes, true);
  }
  const bool is_packed = packing_.value_or(Packing::none) != Packing::none;
  reading_of_clock_ = read_clock();
  const auto known = std::find_if(committed.begin(), committed.end(),
                                  [&](const Position& p) { return p.source == name_; });
  if (known != committed.end()) {
    if (auto same = check_identity(*known, is_packed); !same) return same;
    next_ = known->next;
  }
  until_ = is_packed ? kNoEnd : reading_of_clock_.until;
  if (is_packed) return go_to_unpacked(next_);
  if (!is_followed_) {
    auto layout = layout_of(name_, first_bytes, true, mapping_);
    if (!layout) return pass(layout);
    use(std::move(**layout));
  } else if (next_ > 0) {
    packing_ = Packing::none;
    use({});
  }
  buffer_offset_ = next_;
  if (::lseek(descriptor_, next_, SEEK_SET) != next_) {
    return fail(ErrorKind::fatal, "{}: cannot seek to byte {}: {}", name_, next_,
                std::strerror(errno));
  }
  stored_ = static_cast<std::uint64_t>(next_);
  return {};
}

// There is no way into the middle of packed bytes.
Result<void> FileSource::go_to_unpacked(Offset next) {
  if (::lseek(descriptor_, 0, SEEK_SET) != 0) {
    return fail(ErrorKind::fatal, "{}: cannot seek to its start: {}", name_, std::strerror(errno));
  }
  next_ = 0;
  stored_ = 0;
  begin_unpacking(0);
  if (auto filled = fill(); !filled) return filled;
  auto layout = layout_of(name_, {buffer_.data(), std::min(filled_, kHeadBytes)}, true, mapping_);
  if (!layout) return pass(layout);
  while (known_to() < next && !at_end_ && !damage_) {
    consumed_ = filled_;
    if (auto filled = fill(); !filled) return filled;
  }
  if (damage_ && known_to() < next) return Failure(*damage_);
  if (known_to() < next) {
    return fail(ErrorKind::invalid,
                "{}: unpacks to {} bytes, but {} were read from it before, so it was cut or "
                "replaced; give the new file another name, or replay it into another --db",
                name_, known_to(), next);
  }
  next_ = next;
  use(std::move(**layout));
  return {};
}

// From now on it is known what the file is; next_ is where reading begins, or the start.
void FileSource::use(Layout layout) {
  next_ = std::max(next_, static_cast<Offset>(layout.start));
  if (next_ <= known_to()) consumed_ = static_cast<std::size_t>(next_ - buffer_offset_);
  json_.reset();
  csv_.reset();
  if (layout.form == Form::json || layout.form == Form::wrapped_json) {
    json_.emplace(layout.form == Form::wrapped_json);
    json_->start(next_);
  }
  if (layout.form == Form::csv) {
    csv_.emplace(layout.header, limits_.record_bytes);
    csv_->start(next_);
  }
  layout_ = std::move(layout);
}

// What is followed has to be lines, as far as its beginning tells.
Result<void> FileSource::check_is_lines() const {
  if (!is_regular_) return {};
  const auto first_bytes = head(kHeadBytes);
  if (!first_bytes) return pass(first_bytes);
  const auto packing = packing_of(*first_bytes, false);
  if (packing && *packing != Packing::none) return cannot_follow(name_, packed_by(*packing));
  auto layout = layout_of(name_, *first_bytes, false, mapping_);
  if (!layout) return pass(layout);
  if (*layout && (*layout)->form != Form::lines)
    return cannot_follow(name_, text_of((*layout)->form));
  return {};
}

Result<void> FileSource::check_identity(const Position& position, bool is_packed) {
  const auto mark = decode(position.mark);
  if (!mark) return fail(ErrorKind::fatal, "{}: its stored position is damaged", name_);
  if (!is_packed && size() < static_cast<std::uint64_t>(position.next)) {
    return fail(
        ErrorKind::invalid,
        "{}: has {} bytes, but {} were read from it before, so it was cut or replaced; give "
        "the new file another name, or replay it into another --db",
        name_, size(), position.next);
  }
  const auto first_bytes = head(mark->hashed);
  if (!first_bytes) return pass(first_bytes);
  if (first_bytes->size() < mark->hashed || hash_of(*first_bytes) != mark->hash) {
    return fail(ErrorKind::invalid,
                "{}: its first {} bytes differ from the file read before under this name; give the "
                "new file another name, or replay it into another --db",
                name_, mark->hashed);
  }
  // What was there when the first reading began keeps its time; what came since gets a new one.
  if (is_packed || position.next < static_cast<Offset>(mark->until)) {
    reading_of_clock_ = {from_ms(static_cast<std::int64_t>(mark->now_ms)),
                         static_cast<Offset>(mark->until)};
  }
  return {};
}

// The first `length` bytes as they are stored, or as many as there are.
Result<std::string> FileSource::head(std::size_t length) const {
  std::string bytes(length, '\0');
  std::size_t got = 0;
  while (got < length) {
    const auto n = ::pread(descriptor_, bytes.data() + got, length - got, static_cast<off_t>(got));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      return fail(ErrorKind::fatal, "{}: cannot read its first bytes: {}", name_,
                  std::strerror(errno));
    }
    if (n == 0) break;
    got += static_cast<std::size_t>(n);
  }
  bytes.resize(got);
  return bytes;
}

Result<std::string> FileSource::mark(Offset next) const {
  if (!is_regular_) return std::string();
  const auto read = unpacker_ ? taken_ : static_cast<std::uint64_t>(next);
  const auto hashed = std::min<std::uint64_t>(kIdentityBytes, read);
  auto first_bytes = head(hashed);
  if (!first_bytes) return first_bytes;
  if (first_bytes->size() < hashed) {
    return fail(ErrorKind::fatal, "{}: cannot read its first bytes: it became shorter", name_);
  }
  return encode({hashed, hash_of(*first_bytes),
                 static_cast<std::uint64_t>(to_ms(reading_of_clock_.now)),
                 static_cast<std::uint64_t>(reading_of_clock_.until)});
}

Result<Position> FileSource::position_at(Offset next) const {
  auto position_mark = mark(next);
  if (!position_mark) return pass(position_mark);
  return Position{name_, next, std::move(*position_mark)};
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
  objects_.clear();
  object_places_.clear();
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
    if (!layout_) {
      if (auto found = find_layout(at_end_); !found) return pass(found);
    }
    if (layout_) split();
  } while (has_grown && records_.empty() && next_ == before && !at_end_);
  if (reading_ == Reading::follow && records_.empty()) {
    if (auto taken = take_settled_line(); !taken) return pass(taken);
  }
  if (damage_ && records_.empty() && next_ == before) return Failure(*damage_);
  if (next_ != before) {
    auto reached = position();
    if (!reached) return pass(reached);
    positions_.push_back(std::move(*reached));
  }
  has_records_ |= !records_.empty();
  slice_ = {0, records_, positions_};
  const bool is_last = at_end_ && consumed_ == filled_;
  if (is_last) tell_of_missing_end();
  return Batch{{&slice_, 1}, is_last};
}

// Moves what is left of the last batch to the front and reads behind it: a file until the buffer is
// full, a stream what is there now; reading to the end waits while no whole record is in hand.
Result<void> FileSource::fill() {
  if (buffer_.empty()) buffer_.resize(std::max(limits_.batch_bytes, 2 * limits_.record_bytes));
  std::memmove(buffer_.data(), buffer_.data() + consumed_, filled_ - consumed_);
  buffer_offset_ += static_cast<Offset>(consumed_);
  filled_ -= consumed_;
  consumed_ = 0;
  bool may_wait = is_regular_ || (reading_ == Reading::to_end && !may_hold_record());
  while (filled_ < buffer_.size() && !at_end_ && !damage_) {
    char* const out = buffer_.data() + filled_;
    const std::size_t room =
        packing_ ? buffer_.size() - filled_ : std::min(buffer_.size(), kHeadBytes) - filled_;
    const auto given =
        unpacker_ ? unpack_some(out, room, may_wait) : read_some(out, room, may_wait);
    if (!given) return pass(given);
    if (!*given) return {};
    filled_ += **given;
    at_end_ = **given == 0 && !damage_;
    if (!packing_) {
      if (auto found = find_packing(); !found) return found;
    }
    may_wait = is_regular_ || (reading_ == Reading::to_end && !packing_);
  }
  return {};
}

// Bytes as they are stored, 0 at the end; empty: none are there now.
Result<std::optional<std::size_t>> FileSource::read_some(char* out, std::size_t room,
                                                         bool may_wait) {
  for (;;) {
    if (!may_wait) {
      pollfd ready{descriptor_, POLLIN, 0};
      if (::poll(&ready, 1, 0) == 0) return std::nullopt;
    }
    const auto n = ::read(descriptor_, out, std::min<std::uint64_t>(room, end_ - stored_));
    if (n < 0 && errno == EINTR) {
      if (is_regular_) continue;
      return std::nullopt;  // a signal asked for something: let the caller look
    }
    if (n < 0 && errno == EAGAIN && (reading_ == Reading::follow || is_followed_)) {
      if (reading_ == Reading::to_end) return 0;  // finished with: nobody is waited for
      return std::nullopt;
    }
    if (n < 0 && errno == EAGAIN) {  // made not to wait by whoever gave it to us
      pollfd ready{descriptor_, POLLIN, 0};
      (void)::poll(&ready, 1, -1);
      continue;
    }
    if (n < 0) {
      return fail(ErrorKind::fatal, "{}: cannot be read at byte {}: {}", name_,
                  unpacker_ ? static_cast<Offset>(taken_) : known_to(), std::strerror(errno));
    }
    if (n > 0) stored_ += static_cast<std::uint64_t>(n);
    const bool may_grow = reading_ == Reading::follow && descriptor_ != STDIN_FILENO;
    if (n == 0 && may_grow) return std::nullopt;
    return static_cast<std::size_t>(n);
  }
}

// The same, of the unpacked text. What is wrong with the packed one is told once all before it was
// handed out.
Result<std::optional<std::size_t>> FileSource::unpack_some(char* out, std::size_t room,
                                                           bool may_wait) {
  const auto damaged = [&](std::string_view what) -> std::optional<std::size_t> {
    damage_ = Error{ErrorKind::fatal,
                    fmt::format("{}: its {} data {} behind byte {} of the unpacked text; the whole "
                                "records before are kept; replay the whole file under this name to "
                                "go on",
                                name_, dwell::name(*packing_), what, known_to())};
    return 0;
  };
  for (;;) {
    if (packed_begin_ == packed_end_ && !is_packed_end_) {
      const auto got = read_some(packed_.data(), packed_.size(), may_wait);
      if (!got || !*got) return got;
      packed_begin_ = 0;
      packed_end_ = **got;
      is_packed_end_ = **got == 0;
    }
    if (packed_begin_ == packed_end_) return unpacker_->is_whole() ? 0 : damaged("end too early");
    std::size_t size = packed_end_ - packed_begin_;
    const auto until = static_cast<std::uint64_t>(reading_of_clock_.until);
    if (until_ == kNoEnd && taken_ < until) size = std::min<std::size_t>(size, until - taken_);
    const auto step = unpacker_->unpack({packed_.data() + packed_begin_, size}, {out, room});
    if (!step) return damaged(fmt::format("are damaged ({})", step.error().message));
    packed_begin_ += step->taken;
    taken_ += step->taken;
    if (until_ == kNoEnd && taken_ >= until && step->given < room) {
      until_ = known_to() + static_cast<Offset>(step->given);
    }
    if (step->given > 0) return step->given;
    if (step->taken > 0) continue;
    remarks_.push_back(fmt::format("{}: is no {} any more from byte {} on: the rest is not read",
                                   name_, dwell::name(*packing_), taken_));
    packed_begin_ = packed_end_;
    is_packed_end_ = true;
  }
}

// Looks at the first bytes, which are in the buffer as they are stored.
Result<void> FileSource::find_packing() {
  packing_ = packing_of({buffer_.data(), filled_}, at_end_);
  if (!packing_ || *packing_ == Packing::none) return {};
  if (is_followed_) return cannot_follow(name_, packed_by(*packing_));
  until_ = 0;
  begin_unpacking(filled_);
  return {};
}

// The first `read` packed bytes are in the buffer.
void FileSource::begin_unpacking(std::size_t read) {
  unpacker_ = make_unpacker(*packing_);
  packed_.resize(std::max(kPackedBytes, kHeadBytes));
  std::copy_n(buffer_.data(), read, packed_.data());
  packed_begin_ = 0;
  packed_end_ = read;
  taken_ = 0;
  is_packed_end_ = std::exchange(at_end_, false);
  filled_ = 0;
}

// Looks at the beginning of the text; it may be too short yet.
Result<void> FileSource::find_layout(bool is_all) {
  is_all = is_all || damage_ || filled_ == buffer_.size();
  if (!packing_ && !is_all) return {};
  auto layout = layout_of(name_, {buffer_.data(), std::min(filled_, kHeadBytes)}, is_all, mapping_);
  if (!layout) return pass(layout);
  if (!*layout) return {};
  if (is_followed_ && (*layout)->form != Form::lines) {
    return cannot_follow(name_, text_of((*layout)->form));
  }
  use(std::move(**layout));
  return {};
}

bool FileSource::may_hold_record() const {
  if (!layout_) return false;
  if (json_) return json_->at() < known_to();
  if (csv_ && !csv_->is_broken()) return csv_->at() < known_to();
  return std::memchr(buffer_.data(), '\n', filled_) != nullptr;
}

void FileSource::split() {
  if (json_) return split_json();
  if (csv_) return split_csv();
  const auto has_more = [&] { return consumed_ < filled_ || (at_end_ && oversized_start_); };
  while (has_more() && records_.size() < limits_.batch_records && cut_line()) {
  }
}

// Cuts a whole line off the buffer; false when there is none. A line that fills more than the
// record limit is followed to its end in pieces, its beginning kept.
bool FileSource::cut_line() {
  const char* start = buffer_.data() + consumed_;
  const std::size_t rest = filled_ - consumed_;
  const auto* newline = static_cast<const char*>(std::memchr(start, '\n', rest));
  const std::size_t length = newline ? static_cast<std::size_t>(newline - start) : rest;
  const bool is_whole = newline || at_end_;
  if (!is_whole) {
    if (oversized_start_ || length > limits_.record_bytes) keep_beginning();
    return false;
  }
  const Offset line_end = buffer_offset_ + static_cast<Offset>(consumed_ + length);
  if (oversized_start_) {
    add_oversized(line_end);
  } else if (length > limits_.record_bytes) {
    add_record(start, limits_.record_bytes, length);
  } else if (!is_blank(start, length) && !is_end_mark_here(start, length)) {
    add_record(start, length, 0);
  }
  consumed_ += length + (newline ? 1 : 0);
  next_ = buffer_offset_ + static_cast<Offset>(consumed_);
  return true;
}

// Of a record that is longer than the limit and whose end is not in sight; it begins at consumed_.
void FileSource::keep_beginning() {
  if (!oversized_start_) {
    // A batch in hand goes first: the kept beginning is only one.
    if (!records_.empty()) return;
    oversized_start_ = buffer_offset_ + static_cast<Offset>(consumed_);
    oversized_head_.assign(buffer_.data() + consumed_, limits_.record_bytes);
  }
  consumed_ = filled_;
}

void FileSource::add_oversized(Offset end) {
  const auto total = static_cast<std::uint64_t>(end - *oversized_start_);
  add_record(oversized_head_.data(), oversized_head_.size(), total);
  oversized_start_.reset();
}

// The bytes in hand from `offset` on.
std::string_view FileSource::unread(Offset offset) const {
  const auto from = static_cast<std::size_t>(offset - buffer_offset_);
  return {buffer_.data() + from, filled_ - from};
}

void FileSource::go_on_at(Offset offset) {
  next_ = offset;
  consumed_ = static_cast<std::size_t>(offset - buffer_offset_);
}

void FileSource::split_json() {
  while (records_.size() < limits_.batch_records) {
    auto found = json_->next(unread(json_->at()));
    if (!found && at_end_) found = json_->finish();
    if (!found) {
      if (oversized_start_) return keep_beginning();
      go_on_at(json_->begun().value_or(json_->at()));
      if (filled_ - consumed_ > limits_.record_bytes) keep_beginning();
      return;
    }
    if (oversized_start_) {
      add_oversized(found->end);
    } else {
      go_on_at(found->begin);
      const auto length = static_cast<std::size_t>(found->end - found->begin);
      const bool is_too_large = length > limits_.record_bytes;
      add_record(buffer_.data() + consumed_, is_too_large ? limits_.record_bytes : length,
                 is_too_large ? length : 0);
    }
    go_on_at(found->resume);
  }
}

void FileSource::split_csv() {
  while (records_.size() < limits_.batch_records && objects_.size() < limits_.batch_bytes) {
    if (oversized_start_ || csv_->is_broken()) {
      // Only the line in which the row began is wrong.
      if (consumed_ == filled_ && !(at_end_ && oversized_start_)) break;
      if (!cut_line()) break;
      csv_->start(next_);
      continue;
    }
    auto row = csv_->next(unread(csv_->at()));
    if (!row && at_end_) row = csv_->finish();
    if (!row && csv_->is_broken()) {
      go_on_at(csv_->begun());
      continue;
    }
    if (!row) {
      go_on_at(at_end_ ? csv_->at() : csv_->begun());
      break;
    }
    go_on_at(row->begin);
    const char* start = buffer_.data() + consumed_;
    const auto length = static_cast<std::size_t>(row->end - row->begin);
    if (length > limits_.record_bytes) {
      add_record(start, limits_.record_bytes, length);
    } else if (!is_end_mark_here(start, length)) {
      if (!row->object.empty()) {
        object_places_.push_back({records_.size(), objects_.size(), row->object.size()});
        objects_ += row->object;
      }
      add_record(start, length, 0);
    }
    go_on_at(row->end);
  }
  for (const auto& [record, begin, size] : object_places_) {
    records_[record].bytes = std::string_view(objects_).substr(begin, size);
  }
}

// Whether a record is none, but the mark behind the last one.
bool FileSource::is_end_mark_here(const char* start, std::size_t length) {
  if (layout_->end_mark.empty()) return false;
  has_end_mark_ = is_end_mark({start, length});
  return has_end_mark_;
}

Result<void> FileSource::take_settled_line() {
  if (consumed_ == filled_ || oversized_start_) return {};
  if (tail_end_ != known_to()) {
    tail_end_ = known_to();
    tail_since_ = clock_.monotonic();
    return {};
  }
  if (!tail_since_ || clock_.monotonic() - *tail_since_ < kSettled) return {};
  tail_since_.reset();  // looked at once
  std::string_view line = unread(buffer_offset_ + static_cast<Offset>(consumed_));
  if (!layout_ && line.starts_with(kUtf8Mark)) line.remove_prefix(kUtf8Mark.size());
  if (line.size() > limits_.record_bytes || !is_one_object(line)) return {};
  if (!layout_) {
    if (auto found = find_layout(true); !found) return found;
  }
  const std::size_t length = line.find_last_of('}') + 1;
  if (!is_end_mark_here(line.data(), length)) add_record(line.data(), length, 0);
  go_on_at(next_ + static_cast<Offset>(length));
  return {};
}

void FileSource::tell_of_missing_end() {
  if (!layout_ || layout_->end_mark.empty() || !has_records_) return;
  if (json_ ? json_->is_closed() : has_end_mark_) return;
  // Clients write such lines, too.
  const std::string_view what = layout_->form == Form::lines
                                    ? "if it is an answer of GET /timeline, it breaks off"
                                    : "breaks off";
  remarks_.push_back(fmt::format("{}: {}: {} is missing at its end; what is there was read", name_,
                                 what, layout_->end_mark));
  has_records_ = false;
}

// `next_` still is where the record begins.
void FileSource::add_record(const char* start, std::size_t length, std::uint64_t truncated_from) {
  records_.push_back({std::string_view(start, length), 0, next_, now_at(next_), truncated_from});
}

Timestamp FileSource::now_at(Offset offset) {
  if (is_regular_ && offset >= until_) {
    reading_of_clock_ = read_clock();
    until_ = unpacker_ ? kNoEnd : reading_of_clock_.until;
  }
  return reading_of_clock_.now;
}

}  // namespace dwell
