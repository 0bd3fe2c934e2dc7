#include "file/file_tail.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <sys/stat.h>

namespace dwell {
namespace {

std::optional<FileSource::Id> id_of(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return std::nullopt;
  return FileSource::Id{status.st_dev, status.st_ino};
}

bool is_empty(const Batch& batch) {
  return batch.records.empty() && batch.positions.empty();
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
  auto absolute = std::filesystem::weakly_canonical(std::filesystem::absolute(path), error).string();
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

Result<void> FileTail::seek(std::span<const Position> committed) {
  is_finishing_ = false;
  current_.reset();
  auto file = open_file(path_);
  if (!file && file.error().kind != ErrorKind::not_found) return pass(file);
  if (file) {
    current_ = std::move(*file);
    auto sought = current_->seek(committed);
    if (sought || sought.error().kind != ErrorKind::invalid) return sought;
  }
  const bool was_read = std::any_of(committed.begin(), committed.end(),
                                    [&](const Position& p) { return p.source == path_; });
  if (!was_read) return {};
  auto found = find_moved(committed);
  if (!found) return pass(found);
  if (*found) return {};
  on_gap_(
      fmt::format("{}: was rotated or cut while nothing read it, and the old file is not in its "
                  "folder: what it held after byte {} is lost",
                  path_, std::find_if(committed.begin(), committed.end(), [&](const Position& p) {
                           return p.source == path_;
                         })->next));
  return current_ ? current_->seek({}) : Result<void>();
}

// Looks for the file the committed position belongs to and goes there; it is read to its end.
Result<bool> FileTail::find_moved(std::span<const Position> committed) {
  std::error_code error;
  const auto folder = std::filesystem::path(path_).parent_path();
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (!entry.is_regular_file(error) || entry.path() == path_) continue;
    const auto id = id_of(entry.path().string());
    if (std::any_of(never_opened_.begin(), never_opened_.end(),
                    [&](const std::string& path) { return id && id == id_of(path); })) {
      continue;
    }
    auto file = open_file(entry.path().string());
    if (!file || !(*file)->seek(committed)) continue;
    current_ = std::move(*file);
    current_->finish();
    is_finishing_ = true;
    return true;
  }
  if (error) {
    return fail(ErrorKind::fatal, "{}: cannot be listed: {}", folder.string(), error.message());
  }
  return false;
}

Result<Batch> FileTail::poll() {
  if (!current_) return start_over();
  auto batch = current_->poll();
  if (!batch || !is_empty(*batch)) {
    if (batch) batch->is_last = false;
    return batch;
  }
  if (is_finishing_) return start_over();
  const auto now_there = id_of(path_);
  if (now_there && !(*now_there == current_->id())) {
    current_->finish();
    is_finishing_ = true;
  } else if (now_there && current_->size() < static_cast<std::uint64_t>(current_->next())) {
    on_gap_(
        fmt::format("{}: was cut in place at byte {}: what was written and cut before it could "
                    "be read is lost",
                    path_, current_->next()));
    return start_over();
  }
  return Batch{};
}

// Begins the file that stands under the path now. Its position is committed before it has a record:
// the file before it is done with.
Result<Batch> FileTail::start_over() {
  auto file = open_file(path_);
  if (!file && file.error().kind == ErrorKind::not_found) return Batch{};
  if (!file) return pass(file);
  const bool is_first = !current_;
  current_ = std::move(*file);
  is_finishing_ = false;
  if (auto sought = current_->seek({}); !sought) return pass(sought);
  if (is_first) return Batch{};
  auto position = current_->position();
  if (!position) return pass(position);
  start_.assign(1, std::move(*position));
  return Batch{{}, start_, false};
}

}  // namespace dwell
