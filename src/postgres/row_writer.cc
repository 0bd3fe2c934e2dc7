#include "postgres/row_writer.h"

namespace dwell {

RowWriter::RowWriter(std::unique_ptr<PostgresStore> store, Around around)
    : store_(std::move(store)),
      around_(std::move(around)),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

RowWriter::~RowWriter() {
  thread_.request_stop();
  thread_.join();
}

Result<std::vector<StorePosition>> RowWriter::positions(std::span<const StorePosition> starts) {
  if (auto finished = finish(); !finished) return pass(finished);
  return store_->positions(starts);
}

Result<void> RowWriter::commit(std::span<const RowSlice> slices) {
  if (slices.empty()) {
    const std::lock_guard lock(mutex_);
    return outcome_;
  }
  ready_.fill(slices);
  if (auto finished = finish(); !finished) return finished;
  {
    const std::lock_guard lock(mutex_);
    std::swap(ready_, stored_);
    is_busy_ = true;
  }
  changed_.notify_all();
  return {};
}

Result<void> RowWriter::commit_now(const RowSlice& slice) {
  if (auto finished = finish(); !finished) return finished;
  ready_.fill({&slice, 1});
  return around_(ready_, *store_, [this] { return store_->commit(ready_); });
}

Result<void> RowWriter::finish() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return !is_busy_; });
  return outcome_;
}

bool RowWriter::is_done() {
  const std::lock_guard lock(mutex_);
  return !is_busy_ && outcome_;
}

void RowWriter::run(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (changed_.wait(lock, stop, [&] { return is_busy_; })) {
    lock.unlock();
    auto committed = around_(stored_, *store_, [this] { return store_->commit(stored_); });
    lock.lock();
    outcome_ = std::move(committed);
    is_busy_ = false;
    changed_.notify_all();
  }
}

}  // namespace dwell
