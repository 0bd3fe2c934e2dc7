#include "live/live_source.h"

namespace dwell {

Result<Batch> LiveSource::poll() {
  records_.clear();
  positions_.clear();
  if (file_ && !file_ended_) {
    auto batch = file_->poll();
    if (!batch) return batch;
    file_ended_ = batch->is_last;
    const Slice slice = batch->single();
    records_.assign(slice.records.begin(), slice.records.end());
    positions_.assign(slice.positions.begin(), slice.positions.end());
  }
  Slice submitted = queue_.poll()->single();
  if (submitted.records.empty() && positions_.empty()) {
    queue_.wait_for_submission(patience_);
    submitted = queue_.poll()->single();
  }
  const auto source = static_cast<std::uint32_t>(positions_.size());
  for (Record record : submitted.records) {
    record.source = source;
    records_.push_back(record);
  }
  positions_.insert(positions_.end(), submitted.positions.begin(), submitted.positions.end());
  slice_ = {0, records_, positions_};
  return Batch{{&slice_, 1}, false};
}

Result<void> LiveSource::seek(PartitionId partition, std::span<const Position> committed) {
  if (file_) {
    if (auto sought = file_->seek(partition, committed); !sought) return sought;
    file_ended_ = false;
  }
  return queue_.seek(partition, committed);
}

}  // namespace dwell
