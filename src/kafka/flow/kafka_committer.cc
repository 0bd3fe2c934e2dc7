#include "kafka/flow/kafka_committer.h"

#include <algorithm>
#include <charconv>

#include "base/check.h"
#include "base/varint.h"
#include "core/cleaned_value.h"
#include "kafka/client/record_trace.h"
#include "kafka/topics/rejected_topic.h"

namespace dwell {
namespace {

// Indices of the topics written to.
constexpr std::size_t kCleaned = 0;
constexpr std::size_t kState = 1;
constexpr std::size_t kRejected = 2;

constexpr std::size_t kAhead = 8;  // memory is asked for so many records before

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

// A record goes to the partition its input came from.
Result<void> check_partitions(const KafkaSource& source, const std::string& topic) {
  const std::string& input = source.options().topic;
  const auto wanted = source.client().partition_count(input, kBrokerPatience);
  if (!wanted) return pass(wanted);
  const auto found = source.client().partition_count(topic, kBrokerPatience);
  if (!found) return pass(found);
  if (*found == *wanted) return {};
  return fail(ErrorKind::invalid,
              "topic {} has {} partitions, topic {} has {}: states and records belong to the "
              "partition of their input, and a device whose records changed partition would start "
              "anew; `dwell topics check` says what to do",
              topic, *found, input, *wanted);
}

Offset next_offset(const Partition& partition) {
  if (partition.unit) return partition.unit->positions[0].next;
  return partition.positions.empty() ? 0 : partition.positions[0].next;
}

// About how many bytes the state of a device takes in the topic.
std::uint64_t state_size(const Fold& fold, DeviceIndex device) {
  constexpr std::uint64_t kRest = 32, kEvent = 3;
  return kRest + fold.device_id(device).size() + kEvent * fold.window_size(device);
}

}  // namespace

Result<std::unique_ptr<KafkaCommitter>> KafkaCommitter::open(const KafkaOptions& kafka,
                                                             const KafkaCommitterOptions& options,
                                                             const KafkaSource& source,
                                                             Clock& clock) {
  // Before a producer asks for them, which makes topics where brokers allow that.
  for (const std::string& topic : {options.topics.cleaned, options.topics.state}) {
    if (auto same = check_partitions(source, topic); !same) return pass(same);
  }
  if (auto found = source.client().partition_count(options.topics.rejected, kBrokerPatience);
      !found) {
    return pass(found);
  }
  auto transactions = KafkaTransactions::open(
      kafka, {options.member,
              options.transaction_timeout,
              options.record_bytes + kRejectedOverhead,
              {options.topics.cleaned, options.topics.state, options.topics.rejected}});
  if (!transactions) return pass(transactions);
  auto states = StateTopic::open(kafka, source, options.topics.state);
  if (!states) return pass(states);
  return std::unique_ptr<KafkaCommitter>(
      new KafkaCommitter(options, source, clock, std::move(*transactions), std::move(*states)));
}

Result<void> KafkaCommitter::restore(std::span<Partition> partitions) {
  if (options_.before_restore) {
    if (auto checked = options_.before_restore(); !checked) return checked;
  }
  auto lacks = states_->restore(partitions);
  if (!lacks) return pass(lacks);
  if (!partitions.empty()) reasons_.emplace(partitions[0].fold.rule());
  const auto now = clock_.monotonic();
  for (std::size_t i = 0; i < partitions.size(); ++i) {
    auto& [devices, records, has_marker] = (*lacks)[i];
    Unsaved& unsaved = unsaved_[partitions[i].id] = {};
    // An offset without a marker under this rule needs one before anything else.
    unsaved.is_anything = !partitions[i].positions.empty() && (!has_marker || records > 0);
    unsaved.records = records;
    unsaved.has_marker = has_marker;
    unsaved.devices = std::move(devices);
    for (const DeviceIndex device : unsaved.devices.list()) {
      unsaved.bytes += state_size(partitions[i].fold, device);
    }
    unsaved.since = unsaved.changed = now;
  }
  return {};
}

Result<void> KafkaCommitter::commit(std::span<const Partition> partitions) {
  bool has_units = false;
  for (const Partition& partition : partitions) {
    if (!partition.unit) continue;
    has_units = true;
    Unsaved& unsaved = unsaved_.at(partition.id);
    unsaved.is_anything = true;
    for (const DeviceIndex device : partition.unit->touched) {
      if (unsaved.devices.add(device)) unsaved.bytes += state_size(partition.fold, device);
    }
  }
  traced_.clear();
  counts_ = {};
  const auto due = due_checkpoints(partitions, unsaved_, options_.checkpoints, clock_.monotonic());
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
  traced_.clear();
  counts_ = {};
  if (auto begun = transactions_.begin(); !begun) return begun;
  std::vector<PartitionNext> offsets;
  for (const Partition& partition : partitions) {
    Result<void> written;
    if (partition.unit) written = write(partition);
    if (written && is_due(partition)) written = write_checkpoint(partition);
    if (!written) return transactions_.abort(written.error());
    if (partition.unit || !partition.positions.empty()) {
      offsets.push_back({partition.id, next_offset(partition)});
    }
  }
  if (auto committed = transactions_.commit(source_, offsets); !committed) return committed;

  const auto now = clock_.monotonic();
  counts_.checkpoints = checkpoints.size();
  for (const Partition& partition : partitions) {
    Unsaved& unsaved = unsaved_.at(partition.id);
    if (partition.unit) {
      unsaved.records += partition.unit->records.size();
      unsaved.changed = now;
      counts_.rejects_kept += partition.unit->rejected.size();
    }
    if (is_due(partition)) {
      unsaved.devices.clear();
      unsaved.bytes = 0;
      unsaved.records = 0;
      unsaved.is_anything = false;
      unsaved.has_marker = true;
      unsaved.since = now;
    }
  }
  return {};
}

// Finds the records of the unit that belong to a trace.
void KafkaCommitter::trace(const Partition& partition) {
  traced_before_ = traced_.size();
  if (!options_.tracer.is_on()) return;
  const Unit& unit = *partition.unit;
  const Sampler& sampler = options_.tracer.settings().records;
  const bool has_headers = source_.has_headers(partition.id);
  if (!has_headers && !sampler.takes_roots()) return;
  for (std::uint32_t i = 0; i < unit.records.size(); ++i) {
    auto traced = trace_of_record(options_.tracer, "clean", source_.options().topic,
                                  source_.message(partition.id, i));
    if (!traced) continue;
    traced->record = i;
    traced->outcome = name(unit.outcomes[i]);
    traced_.push_back(std::move(*traced));
  }
}

const TracedRecord* KafkaCommitter::traced_at(std::uint32_t record) const {
  const auto first = traced_.begin() + static_cast<std::ptrdiff_t>(traced_before_);
  const auto found = std::lower_bound(
      first, traced_.end(), record,
      [](const TracedRecord& traced, std::uint32_t index) { return traced.record < index; });
  return found != traced_.end() && found->record == record ? &*found : nullptr;
}

// What is traced is handed on with its span here, all else as it came.
void KafkaCommitter::add_trace(const Partition& partition, std::uint32_t record,
                               rd_kafka_headers_t* headers) {
  const TracedRecord* traced = traced_at(record);
  pass_trace(source_.message(partition.id, record),
             traced ? std::optional(traced->own) : std::nullopt, headers);
}

Result<void> KafkaCommitter::write(const Partition& partition) {
  const Unit& unit = *partition.unit;
  trace(partition);
  const bool has_traces = source_.has_headers(partition.id) || traced_.size() > traced_before_;
  for (std::size_t i = 0; i < unit.changes.size(); ++i) {
    const CleanedRecord& cleaned = unit.changes[i];
    if (i + kAhead < unit.changes.size()) {
      partition.fold.prefetch_device_id(unit.changes[i + kAhead].device);
    }
    value_.clear();
    const auto device = partition.fold.device_id(cleaned.device);
    append_cleaned_value(device, cleaned.change, value_);
    source_header_.clear();
    put_varint(source_header_, static_cast<std::uint64_t>(partition.id));
    put_varint(source_header_, static_cast<std::uint64_t>(unit.records[cleaned.record].offset));
    rd_kafka_headers_t* headers = rd_kafka_headers_new(6);
    add_header(headers, "seq", Digits(cleaned.change.seq).text());
    add_header(headers, "rank", Digits(cleaned.change.rank).text());
    add_header(headers, "source", source_header_);
    if (cleaned.change.operation == Operation::retract) add_header(headers, "op", "retract");
    if (has_traces) add_trace(partition, cleaned.record, headers);
    auto produced = transactions_.produce({kCleaned, partition.id, device, value_, headers});
    if (!produced) return produced;
  }
  for (const std::uint32_t record : unit.rejected) {
    if (auto written = write_rejected(partition, record); !written) return written;
  }
  return {};
}

Result<void> KafkaCommitter::write_rejected(const Partition& partition, std::uint32_t record) {
  const rd_kafka_message_t& message = source_.message(partition.id, record);
  const RejectedOutput rejected =
      make_rejected(message, name(partition.unit->outcomes[record]), source_.options().topic,
                    source_.options().record_bytes);
  const Record& of_input = partition.unit->records[record];
  const auto detail = reasons_->explain(of_input, partition.unit->outcomes[record]);
  if (!detail.empty()) add_header(rejected.headers, "detail", detail);
  add_trace(partition, record, rejected.headers);
  pass_header(message, kRedrivenHeader, rejected.headers);
  pass_header(message, kFormHeader, rejected.headers);
  return transactions_.produce(
      {kRejected, RD_KAFKA_PARTITION_UA, rejected.key, rejected.value, rejected.headers});
}

Result<void> KafkaCommitter::write_checkpoint(const Partition& partition) {
  for (const DeviceIndex device : unsaved_.at(partition.id).devices.list()) {
    value_.clear();
    partition.fold.encode_state(device, value_);
    auto produced =
        transactions_.produce({kState, partition.id, partition.fold.device_id(device), value_});
    if (!produced) return produced;
  }
  Marker marker;
  marker.rule = partition.fold.rule();
  marker.record_bytes = source_.options().record_bytes;
  marker.cluster = states_->cluster();
  marker.topic = source_.options().topic;
  marker.next = next_offset(partition);
  marker.totals = partition.fold.totals();
  marker.devices = partition.fold.device_count();
  value_.clear();
  encode_marker(marker, value_);
  return transactions_.produce({kState, partition.id, kMarkerKey, value_});
}

}  // namespace dwell
