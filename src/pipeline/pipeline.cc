#include "pipeline/pipeline.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace dwell {
namespace {

bool needs_restore(const Error& error) {
  return error.kind == ErrorKind::aborted || error.kind == ErrorKind::unknown_outcome;
}

void move_on(std::vector<Position>& positions, std::span<const Position> committed) {
  for (const Position& position : committed) {
    const auto known = std::find_if(positions.begin(), positions.end(),
                                    [&](const Position& p) { return p.source == position.source; });
    if (known == positions.end()) {
      positions.push_back(position);
    } else {
      *known = position;
    }
  }
}

}  // namespace

Pipeline::Pipeline(Committer& committer, Clock& clock, Observer& observer,
                   const PipelineOptions& options)
    : committer_(committer), clock_(clock), observer_(observer), options_(options) {}

Result<void> Pipeline::restore(std::stop_token stop) {
  partitions_.clear();
  for (const PartitionId id : options_.partitions) partitions_.push_back(fresh(id));
  retry_wait_ = Milliseconds{0};
  auto restored = load(partitions_, stop);
  retry_wait_ = Milliseconds{0};
  return restored;
}

Partition Pipeline::fresh(PartitionId id) const {
  return {id, Fold(options_.rule, options_.hash_seed)};
}

Result<void> Pipeline::load(std::span<Partition> partitions, const std::stop_token& stop) {
  for (;;) {
    for (Partition& partition : partitions) partition = fresh(partition.id);
    auto restored = committer_.restore(partitions);
    if (restored) return {};
    const bool can_retry = restored.error().kind == ErrorKind::retry_later;
    if (!can_retry || !wait_to_retry(stop, restored.error())) return restored;
  }
}

Result<void> Pipeline::seek(Source& source, std::span<const Partition> partitions) {
  for (const Partition& partition : partitions) {
    if (auto sought = source.seek(partition.id, partition.positions); !sought) return sought;
  }
  return {};
}

Result<void> Pipeline::run(Source& source, std::stop_token stop) {
  if (auto sought = seek(source, partitions_); !sought) return sought;
  bool is_done = false;
  while (!is_done && !stop.stop_requested()) {
    if (auto stepped = step(source, stop, is_done); !stepped) {
      if (!needs_restore(stepped.error())) return stepped;
      if (auto gone_back = go_back(source, stop, stepped.error()); !gone_back) return gone_back;
      is_done = false;
    }
  }
  return {};
}

Result<void> Pipeline::release() {
  auto released = committer_.release(partitions_);
  partitions_.clear();
  return released;
}

Result<void> Pipeline::step(Source& source, const std::stop_token& stop, bool& is_done) {
  observer_.polling();
  auto batch = source.poll();
  while (!batch && batch.error().kind == ErrorKind::retry_later &&
         wait_to_retry(stop, batch.error())) {
    batch = source.poll();
  }
  if (!batch) return pass(batch);
  is_done = batch->is_last;
  if (!batch->lost.empty() || !batch->gained.empty()) {
    return change_partitions(source, *batch, stop);
  }
  for (const Slice& slice : batch->slices) {
    if (slice.records.empty() && slice.positions.empty()) continue;
    Partition* partition = find(slice.partition);
    CHECK(partition);
    partition->unit = &partition->fold.fold(slice.records, slice.positions);
  }
  return commit(stop);
}

Result<void> Pipeline::change_partitions(Source& source, const Batch& batch,
                                         const std::stop_token& stop) {
  const auto is_lost = [&](const Partition& partition) {
    return std::find(batch.lost.begin(), batch.lost.end(), partition.id) != batch.lost.end();
  };
  const auto lost = std::stable_partition(partitions_.begin(), partitions_.end(),
                                          [&](const Partition& p) { return !is_lost(p); });
  auto released = batch.were_taken ? Result<void>() : committer_.release({lost, partitions_.end()});
  partitions_.erase(lost, partitions_.end());
  if (!released) return released;

  const std::size_t held = partitions_.size();
  for (const PartitionId id : batch.gained) partitions_.push_back(fresh(id));
  const auto gained = std::span(partitions_).subspan(held);
  if (gained.empty()) return {};
  if (auto loaded = load(gained, stop); !loaded) return loaded;
  retry_wait_ = Milliseconds{0};
  observer_.gained(gained);
  return seek(source, gained);
}

// Commits the units there are. Without any, the committer gets the moment all the same.
Result<void> Pipeline::commit(const std::stop_token& stop) {
  auto committed = committer_.commit(partitions_);
  while (!committed && committed.error().kind == ErrorKind::retry_later &&
         wait_to_retry(stop, committed.error())) {
    committed = committer_.commit(partitions_);
  }
  if (!committed) return committed;
  const bool had_to_wait = retry_wait_ != Milliseconds{0};
  retry_wait_ = Milliseconds{0};
  if (had_to_wait) observer_.recovered();
  for (Partition& partition : partitions_) {
    if (!partition.unit) continue;
    const Unit& unit = *std::exchange(partition.unit, nullptr);
    move_on(partition.positions, unit.positions);
    observer_.committed(unit);
  }
  return {};
}

// The folds ran ahead of what is committed, or nobody knows how far the commit came.
Result<void> Pipeline::go_back(Source& source, const std::stop_token& stop, const Error& cause) {
  if (!wait_to_retry(stop, cause)) return Failure(cause);
  if (auto loaded = load(partitions_, stop); !loaded) return loaded;
  observer_.restored(cause);
  return seek(source, partitions_);
}

Partition* Pipeline::find(PartitionId id) {
  const auto found = std::find_if(partitions_.begin(), partitions_.end(),
                                  [&](const Partition& partition) { return partition.id == id; });
  return found == partitions_.end() ? nullptr : &*found;
}

// Waits before the next try; false when it has failed for too long or nobody wants it any more.
bool Pipeline::wait_to_retry(const std::stop_token& stop, const Error& error) {
  if (stop.stop_requested()) return false;
  if (retry_wait_ == Milliseconds{0}) failing_since_ = clock_.monotonic();
  if (clock_.monotonic() - failing_since_ > options_.give_up_after) return false;
  retry_wait_ = std::clamp(retry_wait_ * 2, options_.first_retry, options_.longest_retry);
  observer_.retrying(error, retry_wait_);
  clock_.sleep(retry_wait_);
  return !stop.stop_requested();
}

}  // namespace dwell
