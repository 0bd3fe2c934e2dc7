#pragma once

#include <vector>

#include "live/intake_queue.h"
#include "ports/source.h"

namespace dwell {

// A file (or stream) and the intake queue as one source: what both have goes into one batch, the
// file's records first. Waits for a submission, at most `patience`, when neither has any; that is
// also how often the file is looked at. Borrows both; pipeline's thread.
class LiveSource final : public Source {
 public:
  // `file` may be null: submissions alone. It must never wait in poll().
  LiveSource(Source* file, IntakeQueue& queue, Milliseconds patience)
      : file_(file), queue_(queue), patience_(patience) {}

  Result<Batch> poll() override;
  Result<void> seek(PartitionId partition, std::span<const Position> committed) override;

 private:
  Source* file_;
  IntakeQueue& queue_;
  Milliseconds patience_;
  bool file_ended_ = false;
  std::vector<Record> records_;
  std::vector<Position> positions_;
  Slice slice_;
};

}  // namespace dwell
