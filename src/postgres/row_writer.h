#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "postgres/postgres_store.h"

namespace dwell {

// Stores batches on a thread of its own, one at a time, while the next is read and made ready.
class RowWriter {
 public:
  // `around` calls each commit on that thread, and gives its outcome: it sees what is stored, how
  // long that takes and, of the store, what the commit did.
  using Commit = std::function<Result<void>()>;
  using Around = std::function<Result<void>(const RowBatch& batch, const PostgresStore& store,
                                            const Commit& commit)>;

  RowWriter(std::unique_ptr<PostgresStore> store, Around around);
  ~RowWriter();

  // As of PostgresStore, with nothing on its way.
  Result<std::vector<StorePosition>> positions(std::span<const StorePosition> starts);

  // Makes the slices ready, waits for what is on its way and hands them over; without slices it
  // waits for nothing. Errors: those of what was on its way; the slices are not stored then, and
  // nothing is after that.
  Result<void> commit(std::span<const RowSlice> slices);
  // Stores one slice on the caller's thread, with nothing on its way. Errors: those of
  // PostgresStore.
  Result<void> commit_now(const RowSlice& slice);
  // Waits for what is on its way. Errors: its.
  Result<void> finish();
  // Whether all that was handed over is stored.
  bool is_done();

 private:
  void run(const std::stop_token& stop);

  std::unique_ptr<PostgresStore> store_;
  Around around_;
  RowBatch ready_;  // of the caller

  std::mutex mutex_;
  std::condition_variable_any changed_;
  RowBatch stored_;       // of the thread while is_busy_
  bool is_busy_ = false;  // guarded by mutex_
  Result<void> outcome_;  // guarded by mutex_; of the last batch
  std::jthread thread_;
};

}  // namespace dwell
