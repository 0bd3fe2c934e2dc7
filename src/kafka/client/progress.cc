#include "kafka/client/progress.h"

namespace dwell {
namespace {

constexpr const char* kNoGroup = "dwell-serve";                // named to the brokers, never joined
constexpr std::chrono::milliseconds kProgressPatience{2'000};  // for an answer of the brokers

}  // namespace

Result<KafkaClient*> KafkaProgress::client(const std::string& group) {
  auto& known = clients_[group];
  if (!known) {
    auto made = KafkaClient::make(RD_KAFKA_CONSUMER, kafka_,
                                  {{"group.id", group},
                                   {"allow.auto.create.topics", "false"},
                                   {"isolation.level", "read_uncommitted"}});
    if (!made) return pass(made);
    known = std::move(*made);
  }
  return known.get();
}

Result<PartitionOffsets> KafkaProgress::committed(const std::string& group,
                                                  const std::string& topic,
                                                  std::span<const PartitionId> partitions) {
  auto asker = client(group);
  if (!asker) return pass(asker);
  const auto offsets = (*asker)->committed(group, topic, partitions, kProgressPatience);
  if (!offsets) return pass(offsets);
  PartitionOffsets found;
  for (std::size_t i = 0; i < partitions.size(); ++i) {
    if (const auto& next = (*offsets)[i]) found[partitions[i]] = *next;
  }
  return found;
}

Result<PartitionOffsets> KafkaProgress::ends(const std::string& topic,
                                             std::span<const PartitionId> partitions) {
  auto asker = client(kNoGroup);
  if (!asker) return pass(asker);
  PartitionOffsets found;
  for (const PartitionId partition : partitions) {
    const auto offsets = (*asker)->offsets(topic, partition, kProgressPatience);
    if (!offsets) return pass(offsets);
    found[partition] = offsets->high;
  }
  return found;
}

Result<int> KafkaProgress::partition_count(const std::string& topic) {
  auto asker = client(kNoGroup);
  if (!asker) return pass(asker);
  return (*asker)->partition_count(topic, kProgressPatience);
}

}  // namespace dwell
