#include "pipeline/runner.h"

#include <algorithm>
#include <utility>

namespace dwell {
namespace {

bool needs_restore(const Error& error) {
  return error.kind == ErrorKind::aborted || error.kind == ErrorKind::unknown_outcome;
}

}  // namespace

Runner::Runner(Stage& stage, Clock& clock, Observer& observer, RunnerOptions options)
    : stage_(stage), clock_(clock), observer_(observer), options_(std::move(options)) {}

Result<void> Runner::restore(const std::stop_token& stop) {
  held_ = options_.partitions;
  retry_wait_ = Milliseconds{0};
  const auto ready = load(held_, stop);
  retry_wait_ = Milliseconds{0};
  if (!ready) return pass(ready);
  return {};
}

Result<Ready> Runner::load(std::span<const PartitionId> partitions, const std::stop_token& stop) {
  for (;;) {
    auto ready = stage_.restore(partitions);
    if (ready || ready.error().kind != ErrorKind::retry_later) return ready;
    if (!wait_to_retry(stop, ready.error())) return ready;
  }
}

Result<void> Runner::run(Source& source, const std::stop_token& stop) {
  if (auto sought = stage_.seek(source, held_); !sought) return sought;
  bool is_done = false;
  while (!is_done && !stop.stop_requested()) {
    if (auto stepped = step(source, stop, is_done); !stepped) {
      if (!needs_restore(stepped.error())) return stepped;
      if (auto gone_back = go_back(source, stop, stepped.error()); !gone_back) return gone_back;
      is_done = false;
    }
  }
  return finish(Batch());
}

Result<void> Runner::release() {
  const auto held = std::exchange(held_, {});
  return stage_.give_up(held, false);
}

Result<void> Runner::step(Source& source, const std::stop_token& stop, bool& is_done) {
  observer_.observe(Polling{});
  auto batch = source.poll();
  while (!batch && batch.error().kind == ErrorKind::retry_later &&
         wait_to_retry(stop, batch.error())) {
    batch = source.poll();
  }
  if (!batch) return pass(batch);
  polled_at_ = clock_.monotonic();
  is_done = batch->is_last;
  if (!batch->lost.empty() || !batch->gained.empty()) {
    return change_partitions(source, *batch, stop);
  }
  if (auto taken = stage_.take(*batch); !taken) return taken;
  return commit(*batch, stop);
}

Result<void> Runner::change_partitions(Source& source, const Batch& batch,
                                       const std::stop_token& stop) {
  if (auto finished = finish(batch); !finished) return finished;
  if (!batch.lost.empty()) {
    std::erase_if(held_, [&](PartitionId id) {
      return std::find(batch.lost.begin(), batch.lost.end(), id) != batch.lost.end();
    });
    if (auto given_up = stage_.give_up(batch.lost, batch.were_taken); !given_up) return given_up;
    observer_.observe(Lost{batch.lost, batch.were_taken});
  }
  if (batch.gained.empty()) return {};
  held_.insert(held_.end(), batch.gained.begin(), batch.gained.end());
  observer_.observe(Gained{batch.gained});
  const auto start = clock_.monotonic();
  auto ready = load(batch.gained, stop);
  if (!ready) return pass(ready);
  retry_wait_ = Milliseconds{0};
  ready->partitions = held_.size();
  ready->took = clock_.monotonic() - start;
  observer_.observe(*ready);
  return stage_.seek(source, batch.gained);
}

Result<void> Runner::commit(const Batch& batch, const std::stop_token& stop) {
  auto committed = stage_.commit();
  while (!committed) {
    observer_.observe(CommitFailed{committed.error()});
    const bool can_retry = committed.error().kind == ErrorKind::retry_later;
    if (!can_retry || !wait_to_retry(stop, committed.error())) return pass(committed);
    committed = stage_.commit();
  }
  if (std::exchange(retry_wait_, Milliseconds{0}) != Milliseconds{0}) {
    observer_.observe(Recovered{});
  }
  tell(*committed, batch);
  return {};
}

Result<void> Runner::finish(const Batch& batch) {
  const auto finished = stage_.finish();
  if (!finished) {
    observer_.observe(CommitFailed{finished.error()});
    return pass(finished);
  }
  if (finished->has_batch) tell(*finished, batch);
  return {};
}

void Runner::tell(Committed committed, const Batch& batch) {
  committed.partitions = held_.size();
  committed.since_poll = clock_.monotonic() - polled_at_;
  for (const Slice& slice : batch.slices) committed.records += slice.records.size();
  committed.has_joined = batch.has_joined;
  committed.is_at_end = batch.is_at_end && !committed.is_pending;
  if (committed.nexts.empty()) committed.nexts = batch.nexts;
  observer_.observe(committed);
}

// The stage ran ahead of what is committed, or nobody knows how far the commit came.
Result<void> Runner::go_back(Source& source, const std::stop_token& stop, const Error& cause) {
  if (!wait_to_retry(stop, cause)) return Failure(cause);
  if (const auto ready = load(held_, stop); !ready) return pass(ready);
  observer_.observe(WentBack{cause});
  return stage_.seek(source, held_);
}

// Waits before the next try; false when it has failed for too long or nobody wants it any more.
bool Runner::wait_to_retry(const std::stop_token& stop, const Error& error) {
  if (stop.stop_requested() || options_.give_up_after <= Milliseconds{0}) return false;
  if (retry_wait_ == Milliseconds{0}) failing_since_ = clock_.monotonic();
  if (clock_.monotonic() - failing_since_ > options_.give_up_after) return false;
  retry_wait_ = std::clamp(retry_wait_ * 2, options_.first_retry, options_.longest_retry);
  observer_.observe(Retrying{error, retry_wait_});
  clock_.sleep(retry_wait_, stop);
  return !stop.stop_requested();
}

}  // namespace dwell
