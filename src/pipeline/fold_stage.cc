#include "pipeline/fold_stage.h"

#include <algorithm>

#include "base/check.h"

namespace dwell {
namespace {

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

Result<Ready> FoldStage::restore(std::span<const PartitionId> partitions) {
  for (const PartitionId id : partitions) {
    if (!find(id)) partitions_.push_back({id, Fold(rule_, hash_seed_)});
  }
  const auto coming = move_last(partitions);
  for (Partition& partition : coming) partition = {partition.id, Fold(rule_, hash_seed_)};
  if (auto restored = committer_.restore(coming); !restored) return pass(restored);
  return Ready{coming, device_count(), state_bytes()};
}

Result<void> FoldStage::seek(Source& source, std::span<const PartitionId> partitions) {
  for (const PartitionId id : partitions) {
    const Partition* partition = find(id);
    CHECK(partition);
    if (auto sought = source.seek(id, partition->positions); !sought) return sought;
  }
  return {};
}

Result<void> FoldStage::take(const Batch& batch) {
  for (Partition& partition : partitions_) partition.unit = nullptr;
  for (const Slice& slice : batch.slices) {
    if (slice.records.empty() && slice.positions.empty()) continue;
    Partition* partition = find(slice.partition);
    CHECK(partition);
    partition->unit = &partition->fold.fold(slice.records, slice.positions);
  }
  return {};
}

// Without any unit, the committer gets the moment all the same.
Result<Committed> FoldStage::commit() {
  const auto start = clock_.monotonic();
  if (auto committed = committer_.commit(partitions_); !committed) return pass(committed);
  Committed committed;
  committed.took = clock_.monotonic() - start;
  committed.folds = partitions_;
  committed.devices = device_count();
  committed.state_bytes = state_bytes();
  committed.kept = committer_.counts();
  committed.known_late = committer_.known_late();
  committed.traced = committer_.traced();
  for (Partition& partition : partitions_) {
    if (!partition.unit) continue;
    committed.has_batch = true;
    move_on(partition.positions, partition.unit->positions);
  }
  return committed;
}

Result<void> FoldStage::give_up(std::span<const PartitionId> partitions, bool were_taken) {
  const auto going = move_last(partitions);
  auto released = were_taken ? Result<void>() : committer_.release(going);
  partitions_.erase(partitions_.end() - static_cast<std::ptrdiff_t>(going.size()),
                    partitions_.end());
  return released;
}

// The partitions of these ids, of those that are held, behind the others. No unit is kept.
std::span<Partition> FoldStage::move_last(std::span<const PartitionId> ids) {
  for (Partition& partition : partitions_) partition.unit = nullptr;
  const auto first = std::stable_partition(
      partitions_.begin(), partitions_.end(), [&](const Partition& partition) {
        return std::find(ids.begin(), ids.end(), partition.id) == ids.end();
      });
  return {first, partitions_.end()};
}

std::size_t FoldStage::device_count() const {
  std::size_t devices = 0;
  for (const Partition& partition : partitions_) devices += partition.fold.device_count();
  return devices;
}

std::size_t FoldStage::state_bytes() const {
  std::size_t bytes = 0;
  for (const Partition& partition : partitions_) bytes += partition.fold.state_bytes();
  return bytes;
}

Partition* FoldStage::find(PartitionId id) {
  const auto found = std::find_if(partitions_.begin(), partitions_.end(),
                                  [&](const Partition& partition) { return partition.id == id; });
  return found == partitions_.end() ? nullptr : &*found;
}

}  // namespace dwell
