#pragma once

#include <map>
#include <span>
#include <vector>

#include "core/device_set.h"
#include "kafka/flow/committer_options.h"
#include "ports/partition.h"

namespace dwell {

// What the last checkpoint of a partition lacks.
struct Unsaved {
  DeviceSet devices;
  std::uint64_t bytes = 0;  // of their states, about
  std::uint64_t records = 0;
  bool is_anything = false;             // a position that moved counts
  bool has_marker = false;              // one under the rule of now
  std::chrono::nanoseconds since{0};    // the last checkpoint
  std::chrono::nanoseconds changed{0};  // the last change
};

// The partitions whose checkpoints go with the next commit. What is lacking together is bounded and
// the partition that lacks most goes first, so that checkpoints come one after the other and each
// fits the time of a transaction: no more devices or bytes than the limit, unless one partition
// alone has.
std::vector<PartitionId> due_checkpoints(std::span<const Partition> partitions,
                                         const std::map<PartitionId, Unsaved>& unsaved,
                                         const CheckpointLimits& limits,
                                         std::chrono::nanoseconds now);

}  // namespace dwell
