#pragma once

#include <deque>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/decoder.h"
#include "file/file_limits.h"
#include "file/file_source.h"

namespace dwell {

// Reads several files as one stream, in the order of their events' times.
//
// The next record is that of the file with the oldest event among its next kLookAhead records; of
// equal ones, of the file named first. A record without a usable time comes right behind the one
// before it in its file. So what comes next depends on the positions and on what the files hold,
// and a merge that was ended goes on in the same order.
//
// Each file is looked at once, read when its turn comes and closed at its end; at most kMostOpen
// are open together. They are read up to the size that they had when they were looked at, and their
// records have one `now`. Not thread-safe.
class MergedFiles final : public Source {
 public:
  static constexpr std::size_t kLookAhead = 256;  // records
  static constexpr std::size_t kMostOpen = 200;   // files

  MergedFiles(std::vector<std::string> paths, const FileLimits& limits, Clock& clock,
              const Rule& rule);
  ~MergedFiles() override;

  Result<Batch> poll() override;
  // Looks at all files. Errors: those of FileSource::open() and seek(), of any of them.
  Result<void> seek(PartitionId partition, std::span<const Position> committed) override;

  // Of all files: bytes as they are stored, and up to where they were read before.
  std::uint64_t size() const { return size_; }
  std::uint64_t start() const { return start_; }

  // What somebody has to know who believes the files are whole and sorted; asked for at the end.
  const std::vector<std::string>& remarks() const { return remarks_; }

 private:
  struct Input;
  class OneMoment;

  Result<std::unique_ptr<FileSource>> open_at(const std::string& path,
                                              std::span<const Position> committed);
  Result<void> look_at(Input& input, std::span<const Position> committed);
  Result<void> open(Input& input);
  Result<void> read_ahead(Input& input);
  void take(Input& input, const Slice& slice);
  void hand_out(Input& input);
  Result<void> close(Input& input);
  void note_order(Input& input, Timestamp time);
  void tell_of_disorder();

  std::vector<std::string> paths_;
  FileLimits limits_;
  std::unique_ptr<OneMoment> clock_;
  Mapping mapping_;
  Decoder decoder_;

  std::vector<std::unique_ptr<Input>> inputs_;
  // Those that have a record: by the time that decides whose turn it is, and their number.
  std::set<std::pair<Timestamp, std::size_t>> turns_;
  std::size_t open_ = 0;
  std::uint64_t size_ = 0;
  std::uint64_t start_ = 0;
  std::vector<std::string> remarks_;

  std::vector<Record> records_;
  std::vector<Position> positions_;
  std::size_t bytes_ = 0;                                  // of records_
  std::vector<std::shared_ptr<const std::string>> texts_;  // that records_ are views of
  Slice slice_;
};

}  // namespace dwell
