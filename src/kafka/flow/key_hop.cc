#include "kafka/flow/key_hop.h"

namespace dwell {

Result<std::unique_ptr<KeyHop>> KeyHop::open(const KafkaOptions& kafka,
                                             const KafkaTransactionOptions& options,
                                             const Rule& rule, KafkaSource& source) {
  // A transaction would wait for a topic that is not there until its time is over.
  for (const std::string& topic : options.topics) {
    if (auto found = source.client().partition_count(topic, kBrokerPatience); !found)
      return pass(found);
  }
  auto transactions = KafkaTransactions::open(kafka, options);
  if (!transactions) return pass(transactions);
  return std::unique_ptr<KeyHop>(new KeyHop(std::move(*transactions), rule, source));
}

Result<Ready> KeyHop::restore(std::span<const PartitionId> partitions) {
  const auto committed = source_.committed(partitions, kBrokerPatience);
  if (!committed) return pass(committed);
  for (std::size_t i = 0; i < partitions.size(); ++i) {
    std::vector<Position>& start = starts_[partitions[i]];
    start.clear();
    const auto& next = (*committed)[i];
    if (!next) continue;
    if (auto checked = check(partitions[i], *next); !checked) return pass(checked);
    start.push_back({input_name(source_.options().topic, partitions[i]), *next, ""});
  }
  return Ready{};
}

Result<void> KeyHop::seek(Source& source, std::span<const PartitionId> partitions) {
  for (const PartitionId partition : partitions) {
    if (auto sought = source.seek(partition, starts_.at(partition)); !sought) return sought;
  }
  return {};
}

Result<void> KeyHop::take(const Batch& batch) {
  offsets_.clear();
  if (batch.slices.empty()) return {};
  if (auto begun = transactions_.begin(); !begun) return begun;
  for (const Slice& slice : batch.slices) {
    for (std::size_t i = 0; i < slice.records.size(); ++i) {
      auto copied = copy(slice.records[i], source_.message(slice.partition, i));
      if (!copied) return transactions_.abort(copied.error());
    }
    offsets_.push_back({slice.partition, slice.positions[0].next});
  }
  return {};
}

Result<Committed> KeyHop::commit() {
  if (offsets_.empty()) return Committed{};
  if (auto committed = transactions_.commit(source_, offsets_); !committed) return pass(committed);
  Committed committed;
  committed.has_batch = true;
  return committed;
}

Result<void> KeyHop::copy(const Record& record, const rd_kafka_message_t& message) {
  decoder_.reset();
  const Decoded decoded = decoder_.decode(record);
  KafkaOutput output;
  output.key = decoded.outcome == Outcome::accepted ? decoded.event.device : record.key;
  output.value = record.bytes;
  output.time = record.now;
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(&message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR) {
    output.headers = rd_kafka_headers_copy(headers);
  }
  return transactions_.produce(output);
}

// That what is to be copied next is there.
Result<void> KeyHop::check(PartitionId partition, Offset next) const {
  const std::string& topic = source_.options().topic;
  const auto offsets = source_.client().offsets(topic, partition, kBrokerPatience);
  if (!offsets) return pass(offsets);
  if (next >= offsets->low && next <= offsets->high) return {};
  return fail(ErrorKind::fatal,
              "{}: was copied up to offset {}, but {} {}: {}. `kafka-consumer-groups.sh "
              "--bootstrap-server BROKERS --group {} --topic {} --reset-offsets --to-earliest "
              "--execute` goes on with what is there",
              input_name(topic, partition), next, next < offsets->low ? "begins with" : "ends at",
              next < offsets->low ? offsets->low : offsets->high,
              next < offsets->low ? "what is between was deleted before it was copied"
                                  : "the topic was made anew",
              source_.options().group, topic);
}

}  // namespace dwell
