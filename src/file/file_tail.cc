#include "file/file_tail.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <sys/stat.h>

namespace dwell {
namespace {

struct Found {
  FileSource::Id id;
  FileSource::Written written;
  bool is_regular;
  bool is_empty;
};

std::optional<Found> look_at(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return std::nullopt;
  return Found{{status.st_dev, status.st_ino},
               {status.st_mtim.tv_sec, status.st_mtim.tv_nsec},
               S_ISREG(status.st_mode),
               status.st_size == 0};
}

bool is_empty(const Batch& batch) {
  const Slice slice = batch.only();
  return slice.records.empty() && slice.positions.empty();
}

}  // namespace

FileTail::FileTail(std::string path, const FileLimits& limits, Clock& clock, OnGap on_gap)
    : path_(std::move(path)), limits_(limits), clock_(clock), on_gap_(std::move(on_gap)) {}

Result<std::unique_ptr<FileTail>> FileTail::open(const std::string& path, const FileLimits& limits,
                                                 Clock& clock, OnGap on_gap,
                                                 std::vector<std::string> never_opened) {
  std::error_code error;
  // Of a file that is not there yet, weakly_canonical() alone would keep a relative path, and the
  // file would have another name at the next start.
  auto absolute =
      std::filesystem::weakly_canonical(std::filesystem::absolute(path), error).string();
  if (error) return fail(ErrorKind::invalid, "{}: cannot be read: {}", path, error.message());
  std::unique_ptr<FileTail> tail(
      new FileTail(std::move(absolute), limits, clock, std::move(on_gap)));
  tail->never_opened_ = std::move(never_opened);
  auto file = tail->open_file(tail->path_);
  if (!file && file.error().kind != ErrorKind::not_found) return pass(file);
  return tail;
}

Result<std::unique_ptr<FileSource>> FileTail::open_file(const std::string& path) {
  auto file = FileSource::open(path, limits_, clock_, Reading::follow);
  if (file) (*file)->rename(path_);
  return file;
}

Result<void> FileTail::seek(PartitionId partition, std::span<const Position> committed) {
  is_finishing_ = false;
  current_.reset();
  auto file = open_file(path_);
  if (!file && file.error().kind != ErrorKind::not_found) return pass(file);
  if (file) {
    current_ = std::move(*file);
    auto sought = current_->seek(partition, committed);
    if (sought || sought.error().kind != ErrorKind::invalid) return sought;
  }
  const auto known = std::find_if(committed.begin(), committed.end(),
                                  [&](const Position& p) { return p.source == path_; });
  if (known == committed.end()) return {};
  auto found = find_moved(*known);
  if (!found) return pass(found);
  if (*found) return {};
  on_gap_(
      fmt::format("{}: was rotated or cut while nothing read it, and the old file is not in its "
                  "folder: what it held after byte {} is lost",
                  path_, known->next));
  return current_ ? current_->seek(0, {}) : Result<void>();
}

// Looks for the file the committed position belongs to and goes there; it is read to its end.
Result<bool> FileTail::find_moved(const Position& committed) {
  if (committed.next == 0) return false;  // of which nothing was read: any file would do
  auto all = neighbours();
  if (!all) return pass(all);
  for (const std::string& path : *all) {
    auto file = open_file(path);
    if (!file || !(*file)->seek(0, {&committed, 1})) continue;
    current_ = std::move(*file);
    current_->finish();
    is_finishing_ = true;
    return true;
  }
  return false;
}

// The other regular files of the folder, but those that are never opened.
Result<std::vector<std::string>> FileTail::neighbours() const {
  std::vector<FileSource::Id> left_alone;
  for (const std::string& path : never_opened_) {
    if (const auto found = look_at(path)) left_alone.push_back(found->id);
  }
  std::vector<std::string> all;
  std::error_code error;
  const auto folder = std::filesystem::path(path_).parent_path();
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string path = entry->path().string();
    const auto found = look_at(path);
    const bool is_other = found && found->is_regular && path != path_;
    if (is_other && std::find(left_alone.begin(), left_alone.end(), found->id) == left_alone.end())
      all.push_back(path);
  }
  if (error) {
    return fail(ErrorKind::fatal, "{}: cannot be listed: {}", folder.string(), error.message());
  }
  return all;
}

// Between the file read so far and the one that now stands under the path, rotation may have made
// and moved others. Their names begin with the path, and they were written to after the first.
void FileTail::tell_of_skipped(const FileSource& before, const FileSource& now) const {
  const auto all = neighbours();
  if (!all) return;  // told at the next seek
  for (const std::string& path : *all) {
    const auto found = look_at(path);
    if (!found || found->is_empty || !path.starts_with(path_)) continue;
    if (found->id == before.id() || found->id == now.id()) continue;
    if (found->written <= before.written()) continue;
    on_gap_(
        fmt::format("{}: was written and rotated away before it could be read; stop, `dwell "
                    "replay` it and start again if it holds events",
                    path));
  }
}

Result<Batch> FileTail::poll() {
  if (!current_) return start_over();
  auto batch = current_->poll();
  if (!batch || !is_empty(*batch)) {
    if (batch) batch->is_last = false;
    return batch;
  }
  if (is_finishing_) return start_over();
  const auto now_there = look_at(path_);
  if (now_there && now_there->id != current_->id()) {
    // Whoever rotates makes the new file first and tells the writer then: as long as the new one is
    // empty, the old one may still grow.
    if (now_there->is_empty) return Batch{};
    current_->finish();
    is_finishing_ = true;
    return Batch{};
  }
  const bool was_cut = current_->has_position() && current_->size() < current_->read_to();
  if (!now_there || !was_cut) return Batch{};
  on_gap_(
      fmt::format("{}: was cut in place at byte {}: what was written and cut before it could "
                  "be read is lost",
                  path_, current_->next()));
  if (current_->size() < static_cast<std::uint64_t>(current_->next())) return start_over();
  // Only a line that had not ended was cut: the part of it in hand is no beginning any more.
  const auto position = current_->position();
  if (!position) return Failure(position.error());
  if (auto sought = current_->seek(0, {&*position, 1}); !sought) return pass(sought);
  return Batch{};
}

// Begins the file that stands under the path now. Its position is committed before it has a record:
// the file before it is done with.
Result<Batch> FileTail::start_over() {
  auto file = open_file(path_);
  if (!file && file.error().kind == ErrorKind::not_found) return Batch{};
  if (!file) return pass(file);
  const bool is_first = !current_;
  if (!is_first && current_->id() != (*file)->id()) tell_of_skipped(*current_, **file);
  current_ = std::move(*file);
  is_finishing_ = false;
  if (auto sought = current_->seek(0, {}); !sought) return pass(sought);
  if (is_first) return Batch{};
  auto position = current_->position();
  if (!position) return pass(position);
  start_.assign(1, std::move(*position));
  slice_ = {0, {}, start_};
  return Batch{{&slice_, 1}};
}

}  // namespace dwell
