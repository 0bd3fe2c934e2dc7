#include "file/file_tail.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <sys/stat.h>

namespace dwell {
namespace {

struct Found {
  FileId id;
  FileSource::Written written;
  bool is_regular;
  bool is_fifo;
  bool is_empty;
};

// Errors: not_found, and what else stat() may say.
Result<Found> look_at(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return cannot_open(path, errno);
  const bool is_regular = S_ISREG(status.st_mode);
  return Found{{status.st_dev, status.st_ino},
               {status.st_mtim.tv_sec, status.st_mtim.tv_nsec},
               is_regular,
               S_ISFIFO(status.st_mode),
               is_regular && status.st_size == 0};
}

// Where the links of `path` lead to now, whether or not something is there.
std::string behind_links(const std::string& path) {
  constexpr int kMostLinks = 40;  // as the system has it
  std::error_code error;
  std::filesystem::path real = path;
  for (int i = 0; i < kMostLinks && std::filesystem::is_symlink(real, error); ++i) {
    real = real.parent_path() / std::filesystem::read_symlink(real, error);
  }
  real = std::filesystem::weakly_canonical(real, error);
  return error ? path : real.string();
}

// The one spelling of a path. Links stay in it, for where they lead to may change; but what `..`
// means behind a link is settled now.
std::string whole_path(const std::string& path, std::error_code& error) {
  std::filesystem::path whole;
  for (const auto& part : std::filesystem::absolute(path, error)) {
    if (part == ".") continue;
    whole /= part;
    if (part == "..") whole = std::filesystem::weakly_canonical(whole, error);
  }
  return whole.string();
}

bool is_empty(const Batch& batch) {
  const Slice slice = batch.single();
  return slice.records.empty() && slice.positions.empty();
}

}  // namespace

FileTail::FileTail(std::string path, const FileLimits& limits, Clock& clock, OnGap on_gap)
    : path_(std::move(path)), limits_(limits), clock_(clock), on_gap_(std::move(on_gap)) {}

Result<std::unique_ptr<FileTail>> FileTail::open(const std::string& path, const FileLimits& limits,
                                                 Clock& clock, OnGap on_gap,
                                                 std::vector<std::string> never_opened,
                                                 OnStandstill on_standstill,
                                                 const Mapping& mapping) {
  std::error_code error;
  auto absolute = whole_path(path, error);
  if (error) {
    return fail(ErrorKind::invalid,
                "{}: cannot be read: this process runs in a folder that is gone ({}); name the "
                "file by its whole path",
                path, error.message());
  }
  std::unique_ptr<FileTail> tail(
      new FileTail(std::move(absolute), limits, clock, std::move(on_gap)));
  tail->never_opened_ = std::move(never_opened);
  tail->on_standstill_ = std::move(on_standstill);
  tail->mapping_ = mapping;
  auto file = tail->open_file(tail->path_);
  if (!file && file.error().kind != ErrorKind::not_found) return pass(file);
  return tail;
}

Result<std::unique_ptr<FileSource>> FileTail::open_file(const std::string& path) {
  if (const auto id = file_id(path); id && is_one_of(*id, never_opened_)) {
    return fail(ErrorKind::invalid,
                "{}: belongs to the database that is written; name another file", path);
  }
  auto file = FileSource::open(path, limits_, clock_, Reading::follow, mapping_);
  if (file) (*file)->rename(path_);
  return file;
}

Result<void> FileTail::seek(PartitionId /*partition*/, std::span<const Position> committed) {
  const auto find = [&](const std::string& name) {
    return std::find_if(committed.begin(), committed.end(),
                        [&](const Position& p) { return p.source == name; });
  };
  auto known = find(path_);
  // What was read before under the name that a link leads to is not read again.
  if (known == committed.end()) known = find(behind_links(path_));
  last_.reset();
  if (known != committed.end() && !known->mark.empty()) {
    last_ = *known;
    last_->source = path_;
  }
  if (current_ && !current_->has_position()) {
    const Offset reached = known == committed.end() ? 0 : known->next;
    if (current_->next() != 0 && current_->next() != reached) {
      on_gap_(fmt::format("{}: a FIFO cannot be read again: what was not committed of it is lost",
                          path_));
    }
    return {};
  }
  auto gone = go_on();
  is_sought_ = gone.has_value();
  if (!gone && gone.error().kind == ErrorKind::retry_later) return {};  // tried again by poll()
  return gone;
}

// To where the last batch ended.
Result<void> FileTail::go_on() {
  is_finishing_ = false;
  current_.reset();
  auto file = open_file(path_);
  if (!file && file.error().kind != ErrorKind::not_found) {
    return fail(ErrorKind::retry_later, "{}", file.error().message);
  }
  if (file && (!last_ || (*file)->has_position())) {
    auto sought = (*file)->seek(
        0, last_ ? std::span<const Position>(&*last_, 1) : std::span<const Position>());
    if (!sought && sought.error().kind != ErrorKind::invalid) return sought;
    if (sought) {
      current_ = std::move(*file);
      return {};
    }
  }
  if (!last_) return {};
  auto found = find_moved(*last_);
  if (!found) return pass(found);
  if (*found) return {};
  on_gap_(
      fmt::format("{}: was rotated or cut while nothing read it, and the old file is not in its "
                  "folder: what it held after byte {} is lost",
                  path_, last_->next));
  last_.reset();
  if (!file) return {};
  current_ = std::move(*file);
  return current_->seek(0, {});
}

// Looks for the file the committed position belongs to and goes there; it is read to its end.
Result<bool> FileTail::find_moved(const Position& committed) {
  if (committed.next == 0) return false;  // of which nothing was read: any file would do
  auto all = neighbours();
  if (!all) return pass(all);
  for (const std::string& path : *all) {
    auto file = open_file(path);
    if (!file && file.error().kind == ErrorKind::retry_later) return pass(file);
    if (!file || !(*file)->has_position() || !(*file)->seek(0, {&committed, 1})) continue;
    current_ = std::move(*file);
    current_->finish();
    is_finishing_ = true;
    return true;
  }
  return false;
}

// The other regular files of the folder, but those that are never opened. Where links lead into
// another folder, those of both.
Result<std::vector<std::string>> FileTail::neighbours() const {
  std::vector<std::string> all;
  const std::string real_path = behind_links(path_);
  const auto folder = std::filesystem::path(path_).parent_path();
  const auto real_folder = std::filesystem::path(real_path).parent_path();
  std::vector<std::filesystem::path> folders = {folder};
  if (folder != real_folder) folders.push_back(real_folder);
  for (const auto& one : folders) {
    std::error_code error;
    for (std::filesystem::directory_iterator entry(one, error), end; !error && entry != end;
         entry.increment(error)) {
      const std::string path = entry->path().string();
      const auto found = look_at(path);
      const bool is_other = found && found->is_regular && path != path_ && path != real_path;
      if (is_other && !is_one_of(found->id, never_opened_)) all.push_back(path);
    }
    const bool links_to_nothing = error == std::errc::no_such_file_or_directory && one != folder;
    if (error && !links_to_nothing) return cannot_open(one.string(), error.value());
  }
  return all;
}

// Between the file read so far and the one that now stands under the path, rotation may have made
// and moved others. Their names begin with the path, and they were written to after the first.
void FileTail::tell_of_skipped(const FileSource& before, const FileSource& now) const {
  const auto all = neighbours();
  if (!all) return;  // told at the next seek
  const std::string real_path = behind_links(path_);
  std::vector<FileId> told = {before.id(), now.id()};
  for (const std::string& path : *all) {
    const auto found = look_at(path);
    if (!found || found->is_empty || found->written <= before.written()) continue;
    if (!path.starts_with(path_) && !path.starts_with(real_path)) continue;
    if (std::find(told.begin(), told.end(), found->id) != told.end()) continue;
    told.push_back(found->id);
    on_gap_(
        fmt::format("{}: was written and rotated away before it could be read; stop, `dwell "
                    "replay` it and start again if it holds events",
                    path));
  }
}

Result<Batch> FileTail::poll() {
  auto batch = read_on();
  const std::string why = batch ? "" : batch.error().message;
  if (why != stands_still_because_) {
    stands_still_because_ = why;
    if (on_standstill_) on_standstill_(why);
  }
  if (!batch) return Batch{};
  const auto positions = batch->single().positions;
  if (!positions.empty()) {
    last_.reset();
    if (!positions.back().mark.empty()) last_ = positions.back();
  }
  return batch;
}

Result<Batch> FileTail::read_on() {
  if (!is_sought_) {
    if (auto gone = go_on(); !gone) return pass(gone);
    is_sought_ = true;
  }
  if (!current_) return start_over();
  auto batch = current_->poll();
  if (!batch) {
    is_sought_ = false;  // it may have read what it could not hand out
    return batch;
  }
  batch->is_last = false;
  if (!is_empty(*batch) || current_->is_within_line()) return batch;
  return is_finishing_ ? start_over() : look_for_another();
}

// The open file has nothing more now: has another taken its place, or was it cut?
Result<Batch> FileTail::look_for_another() {
  const auto now_there = look_at(path_);
  if (!now_there && now_there.error().kind == ErrorKind::not_found) return Batch{};
  if (!now_there) return pass(now_there);
  if (now_there->id != current_->id()) {
    if (now_there->is_fifo && current_->has_position()) return Batch{};
    // Only what can be read ends the open one: that may come back.
    auto next = open_file(path_);
    if (!next && next.error().kind == ErrorKind::not_found) return Batch{};
    if (!next) return pass(next);
    // Whoever rotates makes the new file first and tells the writer then: as long as the new one is
    // empty, the old one may still grow.
    if (now_there->is_empty) return Batch{};
    current_->finish();
    is_finishing_ = true;
    return Batch{};
  }
  const bool was_cut = current_->has_position() && current_->size() < current_->read_to();
  if (!was_cut) return Batch{};
  on_gap_(
      fmt::format("{}: was cut in place at byte {}: what was written and cut before it could "
                  "be read is lost",
                  path_, current_->next()));
  if (current_->size() < static_cast<std::uint64_t>(current_->next())) return start_over();
  // Only a line that had not ended was cut: the part of it in hand is no beginning any more.
  is_sought_ = false;
  return Batch{};
}

// Begins the file that stands under the path now. Its position is committed before it has a record:
// the file before it is done with.
Result<Batch> FileTail::start_over() {
  auto file = open_file(path_);
  if (!file && file.error().kind == ErrorKind::not_found) return Batch{};
  if (!file) return pass(file);
  const bool is_first = !current_;
  const bool is_same = !is_first && current_->id() == (*file)->id();
  if (is_same && is_finishing_) {
    is_sought_ = false;  // it was away and came back
    return Batch{};
  }
  if (!is_first && !is_same) tell_of_skipped(*current_, **file);
  if (auto sought = (*file)->seek(0, {}); !sought) return pass(sought);
  current_ = std::move(*file);
  is_finishing_ = false;
  if (is_first) return Batch{};
  auto position = current_->position();
  if (!position) return pass(position);
  start_.assign(1, std::move(*position));
  slice_ = {0, {}, start_};
  return Batch{{&slice_, 1}};
}

}  // namespace dwell
