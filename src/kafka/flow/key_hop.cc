#include "kafka/flow/key_hop.h"

#include <algorithm>
#include <cstring>

namespace dwell {
namespace {

// Whether a record that came out so says its device all the same.
bool has_device(Outcome outcome) {
  return outcome == Outcome::accepted || outcome == Outcome::invalid_timestamp ||
         outcome == Outcome::past_timestamp;
}

rd_kafka_headers_t* headers_of(const rd_kafka_message_t& message) {
  rd_kafka_headers_t* headers = nullptr;
  (void)rd_kafka_message_headers(&message, &headers);
  return headers;
}

std::size_t size_of(const rd_kafka_headers_t* headers) {
  std::size_t bytes = 0;
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  for (std::size_t i = 0; headers && rd_kafka_header_get_all(headers, i, &name, &value, &size) ==
                                         RD_KAFKA_RESP_ERR_NO_ERROR;
       ++i) {
    bytes += std::strlen(name) + size;
  }
  return bytes;
}

}  // namespace

void KeyHop::Held::keep() {
  headers = take_headers();
  message = nullptr;
  text = std::make_unique<char[]>(key.size() + value.size() + 1);
  char* place = text.get();
  for (std::string_view* part : {&key, &value}) {
    if (!part->data()) continue;
    std::copy(part->begin(), part->end(), place);
    *part = {place, part->size()};
    place += part->size();
  }
}

KeyHop::Headers KeyHop::Held::take_headers() {
  if (!message) return std::move(headers);
  rd_kafka_headers_t* found = headers_of(*message);
  return Headers(found ? rd_kafka_headers_copy(found) : nullptr);
}

Result<std::unique_ptr<KeyHop>> KeyHop::open(const KafkaOptions& kafka,
                                             const KafkaTransactionOptions& options,
                                             const Rule& rule, KafkaSource& source, Clock& clock,
                                             std::function<Result<void>()> before_restore) {
  // A transaction would wait for a topic that is not there until its time is over.
  for (const std::string& topic : options.topics) {
    if (auto found = source.client().partition_count(topic, kBrokerPatience); !found)
      return pass(found);
  }
  auto transactions = KafkaTransactions::open(kafka, options);
  if (!transactions) return pass(transactions);
  return std::unique_ptr<KeyHop>(
      new KeyHop(std::move(*transactions), rule, source, clock, std::move(before_restore)));
}

Result<Ready> KeyHop::restore(std::span<const PartitionId> partitions) {
  if (auto checked = before_restore_(); !checked) return pass(checked);
  const auto committed = source_.committed(partitions, kBrokerPatience);
  if (!committed) return pass(committed);
  for (std::size_t i = 0; i < partitions.size(); ++i) {
    Input& input = inputs_[partitions[i]];
    input = {};
    const auto& next = (*committed)[i];
    if (!next) continue;
    if (auto checked = check(partitions[i], *next); !checked) return pass(checked);
    input.start.push_back({input_name(source_.options().topic, partitions[i]), *next, ""});
  }
  return Ready{};
}

Result<void> KeyHop::seek(Source& source, std::span<const PartitionId> partitions) {
  for (const PartitionId partition : partitions) {
    auto sought = source.seek(partition, inputs_.at(partition).start);
    if (!sought) return sought;
    order_.open(partition, clock_.monotonic());
  }
  return {};
}

Result<void> KeyHop::give_up(std::span<const PartitionId> partitions, bool /*were_taken*/) {
  for (const PartitionId partition : partitions) {
    order_.close(partition);
    inputs_.erase(partition);
  }
  return {};
}

Result<void> KeyHop::take(const Batch& batch) {
  decoder_.reset();
  const Timestamp now = clock_.wall();
  for (const Slice& slice : batch.slices) hold(slice, now);
  for (const auto& [partition, input] : inputs_) {
    order_.set_at_end(partition, source_.is_at_end(partition));
  }
  if (auto written = write(); !written) return written;
  keep_the_rest();
  nexts_.assign(batch.nexts.begin(), batch.nexts.end());
  for (PartitionNext& next : nexts_) {
    const auto& held = inputs_.at(next.partition).held;
    if (held.empty()) continue;
    next.next = held.front().offset;
    next.last = held.front().received;
  }
  return {};
}

void KeyHop::hold(const Slice& slice, Timestamp now) {
  Input& input = inputs_.at(slice.partition);
  const auto moment = clock_.monotonic();
  for (std::size_t i = 0; i < slice.records.size(); ++i) {
    const Record& record = slice.records[i];
    const rd_kafka_message_t& message = source_.message(slice.partition, i);
    const Decoded decoded = decoder_.decode(record);
    const bool has_time = decoded.outcome == Outcome::accepted;
    if (has_time) input.last = std::min({decoded.event.timestamp, record.now, now});
    const auto key = has_device(decoded.outcome) ? decoded.event.device : record.key;
    const std::size_t bytes = sizeof(HopRecord) + sizeof(Held) + key.size() + record.bytes.size() +
                              size_of(headers_of(message));
    order_.add(slice.partition, {input.last, now - record.now < HopOrder::kFresh, bytes}, moment);
    input.held.push_back({key, record.bytes, record.offset, record.now, &message, {}, {}});
  }
}

// Copies what may go, as much as a transaction of the source's batches holds.
Result<void> KeyHop::write() {
  offsets_.clear();
  std::size_t records = 0;
  std::size_t bytes = 0;
  std::map<PartitionId, Offset> nexts;
  order_.begin(clock_.monotonic());
  while (records < source_.options().batch_records && bytes < source_.options().batch_bytes) {
    const auto partition = order_.next();
    if (!partition) break;
    if (records == 0) {
      if (auto begun = transactions_.begin(); !begun) return begun;
    }
    auto& held = inputs_.at(*partition).held;
    if (auto copied = copy(held.front()); !copied) return transactions_.abort(copied.error());
    ++records;
    bytes += held.front().value.size();
    nexts[*partition] = held.front().offset + 1;
    held.pop_front();
  }
  copied_ = records;
  for (const auto& [partition, next] : nexts) offsets_.push_back({partition, next});
  return {};
}

Result<void> KeyHop::copy(Held& held) {
  KafkaOutput output;
  output.key = held.key;
  output.value = held.value;
  output.time = held.received;
  output.headers = held.take_headers().release();
  return transactions_.produce(output);
}

// The batch goes, what waits stays.
void KeyHop::keep_the_rest() {
  for (auto& [partition, input] : inputs_) {
    auto& held = input.held;
    for (auto one = held.rbegin(); one != held.rend() && one->message; ++one) one->keep();
    const bool waits = order_.is_full(partition);
    if (waits != std::exchange(input.is_waiting, waits)) source_.let_wait(partition, waits);
  }
}

Result<Committed> KeyHop::commit() {
  Committed committed;
  committed.nexts = nexts_;
  if (offsets_.empty()) return committed;
  const auto start = clock_.monotonic();
  auto done = transactions_.commit(source_, std::exchange(offsets_, {}));
  if (!done) return pass(done);
  committed.has_batch = true;
  committed.took = clock_.monotonic() - start;
  committed.changes = copied_;
  return committed;
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
