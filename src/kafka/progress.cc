#include "kafka/progress.h"

namespace dwell {
namespace {

constexpr std::chrono::milliseconds kPatience{2'000};  // for an answer of the brokers

}  // namespace

Result<KafkaClient*> KafkaProgress::client(const std::string& group) {
  const std::lock_guard lock(mutex_);
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
  const auto what = fmt::format("offsets of group {} in topic {}", group, topic);
  const KafkaList list(rd_kafka_topic_partition_list_new(static_cast<int>(partitions.size())));
  for (const PartitionId partition : partitions) {
    rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), partition);
  }
  const auto code =
      rd_kafka_committed((*asker)->get(), list.get(), static_cast<int>(kPatience.count()));
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return kafka_failure(code, what);
  PartitionOffsets found;
  for (int i = 0; i < list->cnt; ++i) {
    const auto& one = list->elems[i];
    if (one.err != RD_KAFKA_RESP_ERR_NO_ERROR) return kafka_failure(one.err, what);
    if (one.offset >= 0) found[one.partition] = one.offset;
  }
  return found;
}

Result<PartitionOffsets> KafkaProgress::ends(const std::string& topic,
                                             std::span<const PartitionId> partitions) {
  auto asker = client("dwell-serve");
  if (!asker) return pass(asker);
  PartitionOffsets found;
  for (const PartitionId partition : partitions) {
    const auto offsets = (*asker)->offsets(topic, partition, kPatience);
    if (!offsets) return Failure(offsets.error());
    found[partition] = offsets->high;
  }
  return found;
}

Result<int> KafkaProgress::partition_count(const std::string& topic) {
  auto asker = client("dwell-serve");
  if (!asker) return pass(asker);
  return (*asker)->partition_count(topic, kPatience);
}

}  // namespace dwell
