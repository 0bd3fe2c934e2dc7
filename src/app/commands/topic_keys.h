#pragma once

#include <string>

#include "app/settings/config.h"
#include "kafka/topics/topic_admin.h"

namespace dwell {

// What the newest records of an input say about its keys.
struct KeysSeen {
  std::size_t records = 0;  // looked at
  std::size_t miskeyed = 0;
  std::string first;  // miskeyed one, in words
};

// Reads the last records of each partition, at most kMostLookedAt in all and one of each, and
// compares keys with device ids as `dwell clean` does. `config` is what is in effect. Errors: those
// of the brokers.
inline constexpr std::size_t kMostLookedAt = 500;
Result<KeysSeen> look_at_keys(const Config& config, const TopicAdmin& admin, int partitions);

}  // namespace dwell
