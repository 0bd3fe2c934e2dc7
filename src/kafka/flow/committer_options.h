#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "base/result.h"
#include "base/timestamp.h"
#include "kafka/topics/topic_names.h"
#include "telemetry/tracer.h"

namespace dwell {

// When checkpoints are due: once all partitions of a member together lack so many records,
// changed devices or bytes of their states; in each partition after so long a time, and after so
// long a time without records.
struct CheckpointLimits {
  std::uint64_t records = 1'000'000;
  std::size_t devices = 500'000;
  std::uint64_t bytes = 64 << 20;  // of their states, about
  Milliseconds interval = std::chrono::minutes(10);
  Milliseconds idle = std::chrono::seconds(5);
};

struct KafkaCommitterOptions {
  TopicNames topics;
  std::string member;  // prefix of the transactional ids: the same at every start of this process
  std::chrono::milliseconds transaction_timeout{10'000};
  std::size_t record_bytes = 1 << 20;  // the longest of the input

  CheckpointLimits checkpoints;

  // Called before partitions are restored; what it fails with, restoring fails with.
  std::function<Result<void>()> before_restore = {};

  Tracer tracer = {};
};

}  // namespace dwell
