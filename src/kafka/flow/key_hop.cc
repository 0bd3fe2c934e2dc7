#include "kafka/flow/key_hop.h"

namespace dwell {
namespace {

constexpr std::chrono::milliseconds kPatience{5'000};  // for an answer of the brokers

}  // namespace

Result<std::unique_ptr<KeyHop>> KeyHop::open(const KafkaOptions& kafka,
                                             const KafkaTransactionOptions& options,
                                             KafkaSource& source) {
  // A transaction would wait for a topic that is not there until its time is over.
  for (const std::string& topic : options.topics) {
    if (auto found = source.client().partition_count(topic, kPatience); !found) return pass(found);
  }
  auto transactions = KafkaTransactions::open(kafka, options);
  if (!transactions) return pass(transactions);
  return std::unique_ptr<KeyHop>(new KeyHop(std::move(*transactions), source));
}

Result<void> KeyHop::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    if (auto stepped = step(); !stepped) return stepped;
  }
  return {};
}

Result<void> KeyHop::step() {
  const auto batch = source_.poll();
  if (!batch) return Failure(batch.error());
  if (!batch->gained.empty()) return start_at_committed(batch->gained);
  if (batch->slices.empty()) return {};
  if (auto begun = transactions_.begin(); !begun) return begun;
  std::vector<KafkaNext> offsets;
  for (const Slice& slice : batch->slices) {
    for (std::size_t i = 0; i < slice.records.size(); ++i) {
      auto copied = copy(slice.records[i], source_.message(slice.partition, i));
      if (!copied) return transactions_.abort(copied.error());
    }
    offsets.push_back({slice.partition, slice.positions[0].next});
  }
  return transactions_.commit(source_, offsets);
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
  const auto offsets = source_.client().offsets(topic, partition, kPatience);
  if (!offsets) return Failure(offsets.error());
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

Result<void> KeyHop::start_at_committed(std::span<const PartitionId> partitions) {
  auto committed = source_.committed(partitions, kPatience);
  if (!committed) return pass(committed);
  for (std::size_t i = 0; i < partitions.size(); ++i) {
    std::vector<Position> positions;
    if (const auto& next = (*committed)[i]) {
      if (auto checked = check(partitions[i], *next); !checked) return checked;
      positions.push_back({input_name(source_.options().topic, partitions[i]), *next, ""});
    }
    if (auto sought = source_.seek(partitions[i], positions); !sought) return sought;
  }
  return {};
}

}  // namespace dwell
