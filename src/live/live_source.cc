#include "live/live_source.h"

namespace dwell {

Result<Batch> LiveSource::poll() {
  records_.clear();
  positions_.clear();
  if (file_ && !file_ended_) {
    auto batch = file_->poll();
    if (!batch) return batch;
    file_ended_ = batch->is_last;
    records_.assign(batch->records.begin(), batch->records.end());
    positions_.assign(batch->positions.begin(), batch->positions.end());
  }
  auto submitted = queue_.poll();
  if (submitted->records.empty() && positions_.empty()) {
    queue_.wait_for_submission(patience_);
    submitted = queue_.poll();
  }
  const auto source = static_cast<std::uint32_t>(positions_.size());
  for (Record record : submitted->records) {
    record.source = source;
    records_.push_back(record);
  }
  positions_.insert(positions_.end(), submitted->positions.begin(), submitted->positions.end());
  return Batch{records_, positions_, false};
}

Result<void> LiveSource::seek(std::span<const Position> committed) {
  if (file_) {
    if (auto sought = file_->seek(committed); !sought) return sought;
    file_ended_ = false;
  }
  return queue_.seek(committed);
}

}  // namespace dwell
