#include "app/process/timed_committer.h"

#include <algorithm>

namespace dwell {

Result<void> TimedCommitter::restore(std::span<Partition> partitions) {
  auto restored = inner_.restore(partitions);
  if (restored) tell_held(partitions);
  return restored;
}

Result<void> TimedCommitter::commit(std::span<const Partition> partitions) {
  const auto start = clock_.monotonic();
  auto committed = inner_.commit(partitions);
  if (!committed) {
    metrics_.commit_failed();
    return committed;
  }
  tell_held(partitions);
  const bool has_units =
      std::any_of(partitions.begin(), partitions.end(), [](const Partition& p) { return p.unit; });
  if (!has_units) return committed;
  metrics_.commit_took(clock_.monotonic() - start);
  for (const Partition& partition : partitions) {
    if (partition.unit) metrics_.committed(*partition.unit);
  }
  return committed;
}

Result<void> TimedCommitter::release(std::span<const Partition> partitions) {
  return inner_.release(partitions);
}

void TimedCommitter::tell_held(std::span<const Partition> partitions) {
  std::size_t devices = 0;
  for (const Partition& partition : partitions) devices += partition.fold.device_count();
  metrics_.holds(task_, partitions.size(), devices);
}

}  // namespace dwell
