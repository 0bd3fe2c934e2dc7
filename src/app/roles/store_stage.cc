#include "app/roles/store_stage.h"

#include <spdlog/spdlog.h>
#include <utility>

#include "app/process/database_door.h"
#include "app/roles/restored_positions.h"

namespace dwell {
namespace {

constexpr int kCarefulBatches = 100;

void move_behind(std::vector<TracedRecord> more, std::vector<TracedRecord>& all) {
  all.insert(all.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

}  // namespace

StoreStage::StoreStage(std::unique_ptr<CleanedReader> reader, std::unique_ptr<PostgresStore> store,
                       StoreWatch& watch, Clock& clock, int& careful_batches)
    : reader_(std::move(reader)),
      watch_(watch),
      clock_(clock),
      careful_batches_(careful_batches),
      writer_(std::move(store), [this](const RowBatch& batch, const PostgresStore& store,
                                       const RowWriter::Commit& work) {
        return commit_watched(batch, store, work);
      }) {}

// Each partition goes on where the database has it.
Result<Ready> StoreStage::restore(std::span<const PartitionId> partitions) {
  auto positions = restored_positions(*reader_, writer_, watch_, partitions);
  if (!positions) return pass(positions);
  positions_ = std::move(*positions);
  return Ready{};
}

Result<void> StoreStage::seek(Source& /*source*/, std::span<const PartitionId> /*partitions*/) {
  for (const StorePosition& position : positions_) {
    if (auto sought = reader_->seek(position); !sought) return sought;
    spdlog::info("partition {}: stored up to offset {}", position.partition, position.next);
  }
  return {};
}

Result<Committed> StoreStage::commit() {
  if (careful_batches_ > 0) return commit_carefully();
  hand_over_traced();
  if (auto handed = writer_.commit(reader_->slices()); !handed) return failed(handed.error());
  return stored();
}

Result<Committed> StoreStage::finish() {
  if (auto finished = writer_.finish(); !finished) return failed(finished.error());
  return stored();
}

Result<Committed> StoreStage::commit_carefully() {
  if (reader_->slices().empty()) return Committed{};
  const auto refused =
      reader_->commit_apart([this](const RowSlice& slice) { return writer_.commit_now(slice); });
  if (!refused) return pass(refused);
  {
    const std::lock_guard lock(mutex_);
    move_behind(reader_->take_traced(), stored_traced_);
  }
  careful_batches_ = *refused > 0 ? kCarefulBatches : careful_batches_ - 1;
  if (*refused > 0) {
    spdlog::warn("{}: the database refused {} rows, which went to topic {}", watch_.task(),
                 *refused, reader_->rejected_topic());
  }
  return stored();
}

Result<void> StoreStage::commit_watched(const RowBatch& batch, const PostgresStore& store,
                                        const RowWriter::Commit& work) {
  return watch_.commit([&] {
    const auto start = clock_.monotonic();
    auto committed = work();
    if (!committed) return committed;
    const std::lock_guard lock(mutex_);
    stored_.has_batch = true;
    stored_.took += clock_.monotonic() - start;
    if (!handed_traced_.empty()) {  // else the batch is stored in parts
      move_behind(std::move(handed_traced_.front()), stored_traced_);
      handed_traced_.pop_front();
    }
    stored_.rows += store.last();
    stored_times_.insert(stored_times_.end(), batch.times().begin(), batch.times().end());
    for (const RowBatch::Part& part : batch.parts()) {
      stored_.changes += static_cast<std::uint64_t>(part.inserts + part.retracts);
      stored_.not_cleaned += static_cast<std::uint64_t>(part.rejected);
    }
    return committed;
  });
}

void StoreStage::hand_over_traced() {
  if (reader_->slices().empty()) return;  // nothing is handed over
  auto traced = reader_->take_traced();
  const std::lock_guard lock(mutex_);
  handed_traced_.push_back(std::move(traced));
}

Committed StoreStage::stored() {
  const bool is_pending = !writer_.is_done();
  const std::lock_guard lock(mutex_);
  Committed committed = std::exchange(stored_, {});
  committed.is_pending = is_pending;
  told_traced_ = std::exchange(stored_traced_, {});
  committed.traced = told_traced_;
  told_times_.clear();
  std::swap(told_times_, stored_times_);
  committed.row_times = told_times_;
  return committed;
}

// A row that is refused is found by reading the batch once more.
Failure StoreStage::failed(const Error& error) {
  if (error.kind == ErrorKind::fatal) careful_batches_ = kCarefulBatches;
  return may_pass(error);
}

}  // namespace dwell
