#pragma once

#include <cstdint>
#include <string>

namespace dwell {

// What the topics are called, in the order of the flow.
struct TopicNames {
  std::string input = "device-events";
  std::string keyed = "device_events_keyed";
  std::string cleaned = "device_events_cleaned";
  std::string state = "device_events_cleaned_compacted";
  std::string rejected = "device_events_rejected";
};

// What puts a record into its partition of the input.
enum class PartitionedBy { automatic, device, none };

// What producers that partition by device have as keys: the id as it stands in a record, or what
// the mapping makes of it.
enum class KeyForm { as_is, mapped };

// What the layout of the topics follows from.
struct TopicPlanOptions {
  TopicNames names;
  PartitionedBy partitioned_by = PartitionedBy::automatic;
  std::uint64_t record_bytes = 1 << 20;  // the longest record of the input
};

}  // namespace dwell
