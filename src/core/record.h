#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/timestamp.h"

namespace dwell {

// The place of a record in its input, or of the next one to read: a byte offset in a file, a count
// for HTTP, a Kafka offset. 0 or more.
using Offset = std::int64_t;

// Numbers the parts of an input that have states of their own: the partitions of a Kafka topic.
// Every other input is one partition, 0.
using PartitionId = std::int32_t;

// One raw record as a source hands it over. The bytes belong to the source.
struct Record {
  std::string_view bytes;
  std::uint32_t source = 0;  // index into the positions of the batch it came with
  Offset offset = 0;
  Timestamp now{};  // the record's receive time, in [kEarliest, kLatest]
  // Nonzero: the record was this long, over the limit, and `bytes` is only its beginning.
  std::uint64_t truncated_from = 0;
  // Dwell wrote it: device_id, event_type and timestamp in milliseconds, whatever the settings say
  // of the input.
  bool is_documented_form = false;
  std::string_view key = {};  // what the input is partitioned by; without data(): it has no keys
};

// Where reading goes on in one input once a batch is committed.
struct Position {
  std::string source;  // names the input; unique within a store, at most 4,096 bytes
  Offset next = 0;
  std::string mark;  // what only the source understands, at most 256 bytes; see docs/formats.md

  friend bool operator==(const Position&, const Position&) = default;
};

}  // namespace dwell
