#pragma once

#include <map>
#include <span>

#include "core/record.h"
#include "kafka/client/client.h"

namespace dwell {

// The next offset in each partition of a topic.
using PartitionOffsets = std::map<PartitionId, Offset>;

// Asks the brokers how far topics and groups are. Each call waits for their answer. Not
// thread-safe. Errors: retry_later, not_found.
class KafkaProgress {
 public:
  explicit KafkaProgress(const KafkaOptions& kafka) : kafka_(kafka) {}

  // Those the group has committed, of `partitions`; without those it has not.
  Result<PartitionOffsets> committed(const std::string& group, const std::string& topic,
                                     std::span<const PartitionId> partitions);
  // The ends of partitions, open transactions included.
  Result<PartitionOffsets> ends(const std::string& topic, std::span<const PartitionId> partitions);
  Result<int> partition_count(const std::string& topic);

 private:
  Result<KafkaClient*> client(const std::string& group);

  KafkaOptions kafka_;
  std::map<std::string, std::unique_ptr<KafkaClient>> clients_;  // by group
};

}  // namespace dwell
