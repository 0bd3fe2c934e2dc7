#include "kafka/kafka_committer.h"

#include <algorithm>
#include <charconv>
#include <future>

#include "base/check.h"
#include "base/varint.h"
#include "core/cleaned_value.h"

namespace dwell {
namespace {

// What key and headers may add to a rejected record.
constexpr std::size_t kOfHeaders = 64 << 10;
constexpr std::size_t kLongestKey = 32 << 10;    // a longer one is left out
constexpr std::size_t kLongestHeader = 1 << 10;  // that is passed on
constexpr std::chrono::seconds kPatience{5};     // for the brokers to end what was left open

constexpr const char* kTrace = "traceparent";        // of W3C Trace Context
constexpr const char* kRedriven = "dwell.redriven";  // how often `dwell rejects redrive` sent it

// What a header says in digits.
class Digits {
 public:
  explicit Digits(std::uint64_t number)
      : end_(std::to_chars(digits_.data(), digits_.data() + digits_.size(), number).ptr) {}
  std::string_view text() const { return {digits_.data(), end_}; }

 private:
  std::array<char, 20> digits_;
  const char* end_;
};

void add_header(rd_kafka_headers_t* headers, std::string_view name, std::string_view value) {
  rd_kafka_header_add(headers, name.data(), static_cast<ssize_t>(name.size()), value.data(),
                      static_cast<ssize_t>(value.size()));
}

// What came with a record stays with what it became.
void pass_header(const rd_kafka_message_t& message, const char* name, rd_kafka_headers_t* headers) {
  rd_kafka_headers_t* all = nullptr;
  if (rd_kafka_message_headers(&message, &all) != RD_KAFKA_RESP_ERR_NO_ERROR) return;
  const void* value = nullptr;
  std::size_t size = 0;
  if (rd_kafka_header_get_last(all, name, &value, &size) != RD_KAFKA_RESP_ERR_NO_ERROR) return;
  if (value && size <= kLongestHeader)
    add_header(headers, name, {static_cast<const char*>(value), size});
}

Offset next_offset(const Partition& partition) {
  if (partition.unit) return partition.unit->positions[0].next;
  return partition.positions.empty() ? 0 : partition.positions[0].next;
}

}  // namespace

Result<KafkaCommitter::Producer> KafkaCommitter::make_producer(const KafkaOptions& kafka,
                                                               const KafkaCommitterOptions& options,
                                                               int number) {
  const auto timeout = static_cast<int>(options.transaction_timeout.count());
  auto client =
      KafkaClient::make(RD_KAFKA_PRODUCER, kafka,
                        {{"transactional.id", fmt::format("{}-{}", options.member, number)},
                         {"transaction.timeout.ms", std::to_string(timeout)},
                         {"retry.backoff.ms", "1"},
                         {"linger.ms", "1"},
                         {"message.max.bytes", std::to_string(options.record_bytes + kOfHeaders)},
                         {"compression.codec", "lz4"},
                         {"queue.buffering.max.messages", "1000000"},
                         {"queue.buffering.max.kbytes", "1048576"},
                         {"batch.num.messages", "100000"}});
  if (!client) return pass(client);
  const auto patience = static_cast<int>(std::chrono::milliseconds(kPatience).count());
  if (rd_kafka_error_t* error = rd_kafka_init_transactions((*client)->get(), patience)) {
    return kafka_failure(error, "transactional id " + options.member);
  }
  Producer producer{std::move(*client), {}, {}, {}};
  rd_kafka_t* handle = producer.client->get();
  producer.cleaned.reset(rd_kafka_topic_new(handle, options.cleaned_topic.c_str(), nullptr));
  producer.state.reset(rd_kafka_topic_new(handle, options.state_topic.c_str(), nullptr));
  producer.rejected.reset(rd_kafka_topic_new(handle, options.rejected_topic.c_str(), nullptr));
  return producer;
}

Result<std::unique_ptr<KafkaCommitter>> KafkaCommitter::open(const KafkaOptions& kafka,
                                                             const KafkaCommitterOptions& options,
                                                             const KafkaSource& source,
                                                             Clock& clock) {
  // Half a second each the first time, so both at once.
  auto other = std::async(std::launch::async, [&] { return make_producer(kafka, options, 1); });
  auto first = make_producer(kafka, options, 0);
  auto second = other.get();
  if (!first) return pass(first);
  if (!second) return pass(second);
  auto states = StateTopic::open(kafka, source, options.state_topic);
  if (!states) return pass(states);
  std::unique_ptr<KafkaCommitter> committer(
      new KafkaCommitter(options, source, clock, std::move(*states)));
  committer->producers_ = {std::move(*first), std::move(*second)};
  return committer;
}

Result<void> KafkaCommitter::restore(std::span<Partition> partitions) {
  auto lacks = states_->restore(partitions);
  if (!lacks) return pass(lacks);
  const auto now = clock_.monotonic();
  for (std::size_t i = 0; i < partitions.size(); ++i) {
    auto& [devices, has_marker] = (*lacks)[i];
    Unsaved& unsaved = unsaved_[partitions[i].id] = {};
    // An offset without a marker under this rule needs one before anything else.
    unsaved.is_anything =
        !partitions[i].positions.empty() && (!has_marker || !devices.list().empty());
    unsaved.has_marker = has_marker;
    unsaved.devices = std::move(devices);
    unsaved.since = unsaved.changed = now;
  }
  return {};
}

bool KafkaCommitter::is_due(const Unsaved& unsaved, std::chrono::nanoseconds now) const {
  if (!unsaved.is_anything) return false;
  return !unsaved.has_marker || unsaved.records >= options_.checkpoint_records ||
         unsaved.devices.list().size() >= options_.checkpoint_devices ||
         now - unsaved.since >= options_.checkpoint_interval ||
         now - unsaved.changed >= options_.checkpoint_idle;
}

Result<void> KafkaCommitter::commit(std::span<const Partition> partitions) {
  const auto now = clock_.monotonic();
  std::vector<PartitionId> due;
  bool has_units = false;
  for (const Partition& partition : partitions) {
    const Unsaved& unsaved = unsaved_.at(partition.id);
    const bool is_first = partition.unit && !unsaved.has_marker;
    if (is_first || is_due(unsaved, now)) due.push_back(partition.id);
    has_units |= partition.unit != nullptr;
  }
  if (!has_units && due.empty()) return {};
  return commit(partitions, due);
}

Result<void> KafkaCommitter::release(std::span<const Partition> partitions) {
  std::vector<PartitionId> due;
  for (const Partition& partition : partitions) {
    if (unsaved_.at(partition.id).is_anything) due.push_back(partition.id);
  }
  if (due.empty()) return {};
  auto saved = commit(partitions, due);
  // Without it the next owner folds a little more of the input again.
  if (!saved && saved.error().kind == ErrorKind::retry_later) return {};
  return saved;
}

Result<void> KafkaCommitter::commit(std::span<const Partition> partitions,
                                    std::span<const PartitionId> checkpoints) {
  const auto is_due = [&](const Partition& partition) {
    return std::find(checkpoints.begin(), checkpoints.end(), partition.id) != checkpoints.end();
  };
  Producer& producer = producers_[next_producer_];
  if (rd_kafka_error_t* error = rd_kafka_begin_transaction(producer.client->get())) {
    return kafka_failure(error, "transaction of " + options_.member);
  }
  Result<void> written;
  for (const Partition& partition : partitions) {
    if (partition.unit) {
      Unsaved& unsaved = unsaved_.at(partition.id);
      for (const DeviceIndex device : partition.unit->touched) unsaved.devices.add(device);
      written = write(producer, partition);
    }
    if (written && is_due(partition)) written = write_checkpoint(producer, partition);
    if (!written) return abort(producer, written.error());
  }
  if (auto ended = end(producer, partitions); !ended) return ended;
  next_producer_ = (next_producer_ + 1) % producers_.size();

  const auto now = clock_.monotonic();
  for (const Partition& partition : partitions) {
    Unsaved& unsaved = unsaved_.at(partition.id);
    if (partition.unit) {
      unsaved.records += partition.unit->records.size();
      unsaved.is_anything = true;
      unsaved.changed = now;
    }
    if (is_due(partition)) {
      unsaved.devices.clear();
      unsaved.records = 0;
      unsaved.is_anything = false;
      unsaved.has_marker = true;
      unsaved.since = now;
    }
  }
  return {};
}

Result<void> KafkaCommitter::write(Producer& producer, const Partition& partition) {
  const Unit& unit = *partition.unit;
  for (const CleanedRecord& cleaned : unit.changes) {
    value_.clear();
    const auto device = partition.fold.device_id(cleaned.device);
    append_cleaned_value(device, cleaned.change, value_);
    source_header_.clear();
    put_varint(source_header_, static_cast<std::uint64_t>(partition.id));
    put_varint(source_header_, static_cast<std::uint64_t>(unit.records[cleaned.record].offset));
    rd_kafka_headers_t* headers = rd_kafka_headers_new(5);
    add_header(headers, "seq", Digits(cleaned.change.seq).text());
    add_header(headers, "rank", Digits(cleaned.change.rank).text());
    add_header(headers, "source", source_header_);
    if (cleaned.change.operation == Operation::retract) add_header(headers, "op", "retract");
    pass_header(source_.message(partition.id, cleaned.record), kTrace, headers);
    auto produced =
        produce(producer, producer.cleaned.get(), partition.id, device, value_, headers);
    if (!produced) return produced;
  }
  for (const std::uint32_t record : unit.rejected) {
    if (auto written = write_rejected(producer, partition, record); !written) return written;
  }
  return {};
}

Result<void> KafkaCommitter::write_rejected(Producer& producer, const Partition& partition,
                                            std::uint32_t record) {
  const Record& rejected = partition.unit->records[record];
  rd_kafka_headers_t* headers = rd_kafka_headers_new(8);
  add_header(headers, "reason", name(partition.unit->outcomes[record]));
  add_header(headers, "source.topic", source_.options().topic);
  add_header(headers, "source.partition", Digits(static_cast<std::uint64_t>(partition.id)).text());
  add_header(headers, "source.offset", Digits(static_cast<std::uint64_t>(rejected.offset)).text());
  add_header(headers, "received", Digits(static_cast<std::uint64_t>(to_ms(rejected.now))).text());
  if (rejected.truncated_from != 0) {
    add_header(headers, "truncated_from", Digits(rejected.truncated_from).text());
  }
  const rd_kafka_message_t& message = source_.message(partition.id, record);
  pass_header(message, kTrace, headers);
  pass_header(message, kRedriven, headers);
  const std::string_view key =
      rejected.key.size() <= kLongestKey ? rejected.key : std::string_view();
  return produce(producer, producer.rejected.get(), RD_KAFKA_PARTITION_UA, key, rejected.bytes,
                 headers);
}

Result<void> KafkaCommitter::write_checkpoint(Producer& producer, const Partition& partition) {
  for (const DeviceIndex device : unsaved_.at(partition.id).devices.list()) {
    value_.clear();
    partition.fold.encode_state(device, value_);
    auto produced = produce(producer, producer.state.get(), partition.id,
                            partition.fold.device_id(device), value_, nullptr);
    if (!produced) return produced;
  }
  Marker marker;
  marker.rule = partition.fold.rule();
  marker.cluster = states_->cluster();
  marker.topic = source_.options().topic;
  marker.next = next_offset(partition);
  marker.totals = partition.fold.totals();
  marker.devices = partition.fold.device_count();
  value_.clear();
  encode_marker(marker, value_);
  return produce(producer, producer.state.get(), partition.id, kMarkerKey, value_, nullptr);
}

// Takes the headers over.
Result<void> KafkaCommitter::produce(Producer& producer, rd_kafka_topic_t* topic,
                                     PartitionId partition, std::string_view key,
                                     std::string_view value, rd_kafka_headers_t* headers) {
  const auto deadline = clock_.monotonic() + options_.transaction_timeout;
  for (;;) {
    const auto code = rd_kafka_producev(
        producer.client->get(), RD_KAFKA_V_RKT(topic), RD_KAFKA_V_PARTITION(partition),
        RD_KAFKA_V_KEY(key.data(), key.size()),
        RD_KAFKA_V_VALUE(const_cast<char*>(value.data()), value.size()),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
    if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL && clock_.monotonic() < deadline) {
      rd_kafka_poll(producer.client->get(), 10);
      continue;
    }
    if (headers) rd_kafka_headers_destroy(headers);
    return kafka_failure(code, input_name(rd_kafka_topic_name(topic), partition));
  }
}

// Sends the offsets and commits.
Result<void> KafkaCommitter::end(Producer& producer, std::span<const Partition> partitions) {
  rd_kafka_t* handle = producer.client->get();
  const auto timeout = static_cast<int>(options_.transaction_timeout.count());
  const KafkaList offsets(rd_kafka_topic_partition_list_new(static_cast<int>(partitions.size())));
  for (const Partition& partition : partitions) {
    if (!partition.unit && partition.positions.empty()) continue;
    rd_kafka_topic_partition_list_add(offsets.get(), source_.options().topic.c_str(), partition.id)
        ->offset = next_offset(partition);
  }
  const auto what = "transaction of " + options_.member;
  const auto deadline = clock_.monotonic() + options_.transaction_timeout;
  const auto send = [&] {
    return rd_kafka_send_offsets_to_transaction(handle, offsets.get(), source_.group().get(),
                                                timeout);
  };
  const auto commit = [&] { return rd_kafka_commit_transaction(handle, timeout); };
  const auto try_until_deadline = [&](auto call) -> Result<void> {
    for (;;) {
      rd_kafka_error_t* error = call();
      if (!error) return {};
      if (rd_kafka_error_is_retriable(error) && clock_.monotonic() < deadline) {
        rd_kafka_error_destroy(error);
        continue;
      }
      return kafka_failure(error, what);
    }
  };
  if (auto sent = try_until_deadline(send); !sent) return abort(producer, sent.error());
  if (auto committed = try_until_deadline(commit); !committed) {
    // Nobody knows whether the brokers committed; the group's offset will tell the next client.
    auto aborted = abort(producer, committed.error());
    if (!aborted && aborted.error().kind == ErrorKind::retry_later) {
      return fail(ErrorKind::lost_ownership, "{}", aborted.error().message);
    }
    return aborted;
  }
  return {};
}

// Nothing of the transaction will ever be seen; the error is what it was aborted for.
Result<void> KafkaCommitter::abort(Producer& producer, const Error& cause) {
  const auto timeout = static_cast<int>(options_.transaction_timeout.count());
  if (rd_kafka_error_t* error = rd_kafka_abort_transaction(producer.client->get(), timeout)) {
    rd_kafka_error_destroy(error);
    // New clients end it with the same ids.
    return fail(cause.kind == ErrorKind::fatal ? cause.kind : ErrorKind::lost_ownership, "{}",
                cause.message);
  }
  return Failure(cause);
}

}  // namespace dwell
