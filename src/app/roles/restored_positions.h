#pragma once

#include <span>
#include <utility>
#include <vector>

#include "app/process/database_door.h"
#include "app/process/store_watch.h"
#include "ports/store_slices.h"

namespace dwell {

// Where a stage goes on reading each partition: where the store says, or, in a partition that the
// store does not know, at `reader.start()`. The watch sees how the store answers. Errors: those of
// the reader and of the store.
template <typename Reader, typename Store>
Result<std::vector<StorePosition>> restored_positions(const Reader& reader, Store& store,
                                                      StoreWatch& watch,
                                                      std::span<const PartitionId> partitions) {
  std::vector<StorePosition> positions;
  for (const PartitionId partition : partitions) {
    auto start = reader.start(partition);
    if (!start) return pass(start);
    positions.push_back(std::move(*start));
  }
  auto asked = watch.ask([&]() -> Result<void> {
    auto stored = store.positions(positions);
    if (!stored) return may_pass(stored.error());
    positions = std::move(*stored);
    return {};
  });
  if (!asked) return pass(asked);
  return positions;
}

}  // namespace dwell
