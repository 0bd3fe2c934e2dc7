#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "file/file_source.h"

namespace dwell {

// Follows a file that grows and is rotated, as log files are.
//
// When another file stands under the path (its inode tells), the open one is read to its end first,
// then the new one from its start. If that happened while nobody read, the old file is looked for
// by its identity among its neighbours and finished first. What was not read (the old
// file is gone, the file was cut in place, or others were rotated through in between) is a gap:
// told to `on_gap`, never passed over in silence. Positions are those of FileSource, under the
// path. Not thread-safe.
class FileTail final : public Source {
 public:
  using OnGap = std::function<void(const std::string& what)>;

  // The file need not exist yet. Errors: invalid (a folder, no permission). `never_opened` are
  // files that the search for an old one keeps its hands off: opening and closing a database file
  // drops the locks that SQLite in this process has on it.
  static Result<std::unique_ptr<FileTail>> open(const std::string& path, const FileLimits& limits,
                                                Clock& clock, OnGap on_gap,
                                                std::vector<std::string> never_opened = {});

  // Never waits.
  Result<Batch> poll() override;
  Result<void> seek(PartitionId partition, std::span<const Position> committed) override;

 private:
  FileTail(std::string path, const FileLimits& limits, Clock& clock, OnGap on_gap);

  Result<std::unique_ptr<FileSource>> open_file(const std::string& path);
  Result<Batch> start_over();
  Result<bool> find_moved(const Position& committed);
  Result<std::vector<std::string>> neighbours() const;
  void tell_of_skipped(const FileSource& before, const FileSource& now) const;

  std::string path_;  // absolute
  FileLimits limits_;
  Clock& clock_;
  OnGap on_gap_;
  std::unique_ptr<FileSource> current_;  // empty: there is no file yet
  std::vector<std::string> never_opened_;
  bool is_finishing_ = false;  // current_ no longer stands under path_
  std::vector<Position> start_;
  Slice slice_;
};

}  // namespace dwell
