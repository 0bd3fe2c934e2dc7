#pragma once

#include <deque>
#include <mutex>
#include <optional>

#include "app/process/store_watch.h"
#include "kafka/flow/cleaned_reader.h"
#include "ports/clock.h"
#include "ports/stage.h"
#include "postgres/row_writer.h"

namespace dwell {

// Stores the changes of the cleaned topic in the database: one batch while the next is read, or,
// after the database has refused a row, each batch alone, without the rows that it refuses.
class StoreStage final : public Stage {
 public:
  // Borrows the watch, the clock and `careful_batches`: how many batches without a refused row are
  // left before batches are stored while the next is read again.
  StoreStage(std::unique_ptr<CleanedReader> reader, std::unique_ptr<PostgresStore> store,
             StoreWatch& watch, Clock& clock, int& careful_batches);

  // Errors: what the database or the brokers say; retry_later where a row was refused, which
  // reading once more finds.
  Result<Ready> restore(std::span<const PartitionId> partitions) override;
  Result<void> seek(Source& source, std::span<const PartitionId> partitions) override;
  Result<void> take(const Batch& batch) override { return reader_->decode(batch); }
  Result<Committed> commit() override;
  Result<Committed> finish() override;

 private:
  Result<void> commit_watched(const RowBatch& batch, const PostgresStore& store,
                              const RowWriter::Commit& work);
  Result<Committed> commit_carefully();
  void hand_over_traced();
  Committed stored();
  Failure failed(const Error& error);

  std::unique_ptr<CleanedReader> reader_;
  StoreWatch& watch_;
  Clock& clock_;
  int& careful_batches_;
  std::vector<StorePosition> positions_;  // of the partitions restored last

  std::mutex mutex_;
  Committed stored_;  // guarded by mutex_; since it was last told
  // Guarded by mutex_: of the batches that were handed over, of those stored since it was last
  // told.
  std::deque<std::vector<TracedRecord>> handed_traced_;
  std::vector<TracedRecord> stored_traced_;
  std::vector<TracedRecord> told_traced_;
  // Guarded by mutex_: of the rows inserted since it was last told.
  std::vector<Timestamp> stored_times_;
  std::vector<Timestamp> told_times_;

  RowWriter writer_;  // calls commit_watched() on its thread
};

}  // namespace dwell
