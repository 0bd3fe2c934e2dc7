#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "file/file_source.h"

namespace dwell {

// Follows a file that grows and is rotated, as log files are.
//
// When another file stands under the path (its inode tells), the open one is read to its end first,
// then the new one from its start. Links are looked through each time: one that leads elsewhere now
// is a rotation too. If that happened while nobody read, the old file is looked for
// by its identity among its neighbours and finished first. What was not read (the old
// file is gone, the file was cut in place, or others were rotated through in between) is a gap:
// told to `on_gap`, never passed over in silence. Positions are those of FileSource, under the
// path as it is given; without one, that of the file which its links lead to at the start.
//
// Once it runs, nothing that stands under the path ends it: what cannot be opened or read is told
// to `on_standstill` and looked at again at each poll, and reading goes on where it was when that
// is mended. A FIFO is followed as it is, but in the place of a file that was read it counts as an
// empty file. Not thread-safe.
class FileTail final : public Source {
 public:
  using OnGap = std::function<void(const std::string& what)>;
  // Why nothing can be read, when that changes; empty: it can again.
  using OnStandstill = std::function<void(const std::string& why)>;

  // The file need not exist yet. `mapping` tells CSV, which is refused. Errors: invalid (a folder,
  // no permission, anything but one JSON object a line, one of `never_opened`).
  // Those are the files of the database: opening and closing one drops the locks that SQLite in
  // this process has on it, and to read its log would make it longer for ever.
  static Result<std::unique_ptr<FileTail>> open(const std::string& path, const FileLimits& limits,
                                                Clock& clock, OnGap on_gap,
                                                std::vector<std::string> never_opened = {},
                                                OnStandstill on_standstill = {},
                                                const Mapping& mapping = {});

  // Never waits, and never fails: see OnStandstill.
  Result<Batch> poll() override;
  Result<void> seek(PartitionId partition, std::span<const Position> committed) override;

 private:
  FileTail(std::string path, const FileLimits& limits, Clock& clock, OnGap on_gap);

  Result<std::unique_ptr<FileSource>> open_file(const std::string& path);
  Result<void> go_on();
  Result<Batch> read_on();
  Result<Batch> look_for_another();
  Result<Batch> start_over();
  Result<bool> find_moved(const Position& committed);
  Result<std::vector<std::string>> neighbours() const;
  void tell_of_skipped(const FileSource& before, const FileSource& now) const;

  std::string path_;  // absolute, with its links
  FileLimits limits_;
  Clock& clock_;
  OnGap on_gap_;
  OnStandstill on_standstill_;  // may be empty
  Mapping mapping_;
  std::string stands_still_because_;     // empty: it does not
  std::unique_ptr<FileSource> current_;  // empty: there is no file yet
  std::vector<std::string> never_opened_;
  bool is_finishing_ = false;  // current_ no longer stands under path_
  bool is_sought_ = true;      // else go_on() has to be tried again
  std::optional<Position>
      last_;  // of the records handed out; empty: of no file that is known again
  std::vector<Position> start_;
  Slice slice_;
};

}  // namespace dwell
