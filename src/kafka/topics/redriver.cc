#include "kafka/topics/redriver.h"

#include <algorithm>
#include <numeric>

#include "kafka/client/kafka_source.h"
#include "kafka/client/keep_asking.h"

namespace dwell {
namespace {

constexpr std::chrono::milliseconds kRedrivePatience{8'000};  // for an answer of the brokers
constexpr std::chrono::milliseconds kTransactionTimeout{10'000};
constexpr std::size_t kLongestMessage = 256 << 20;

void add(const RedriveReport& more, RedriveReport& report) {
  for (const auto& [reason, counts] : more) {
    RedriveCounts& sum = report[reason];
    sum.sent += counts.sent;
    sum.cut += counts.cut;
    sum.again += counts.again;
    sum.too_often += counts.too_often;
  }
}

}  // namespace

Redriver::Redriver(KafkaOptions kafka, RedriveOptions options, std::unique_ptr<RejectedTopic> topic)
    : kafka_(std::move(kafka)), options_(std::move(options)), topic_(std::move(topic)) {
  for (const Outcome reason : options_.reasons) {
    const auto lane = fmt::format("{}-redrive-{}", options_.group, name(reason));
    const auto again = fmt::format("{}-redrive-again-{}", options_.group, name(reason));
    lanes_.push_back({reason, false, lane});
    if (options_.sends_again) lanes_.push_back({reason, true, again});
    report_[reason] = {};
  }
}

Result<std::unique_ptr<Redriver>> Redriver::open(const KafkaOptions& kafka,
                                                 const RedriveOptions& options) {
  auto topic = RejectedTopic::open(kafka, options.topics.rejected, options.group + "-redrive");
  if (!topic) return pass(topic);
  return std::unique_ptr<Redriver>(new Redriver(kafka, options, std::move(*topic)));
}

Result<void> Redriver::run() {
  const auto input_partitions = topic_->partition_count(options_.topics.input);
  if (!input_partitions) return pass(input_partitions);
  input_partitions_ = *input_partitions;
  // First of all, so that nobody moves the positions after they are read.
  auto transactions = KafkaTransactions::open(
      kafka_,
      {options_.group + "-redrive", kTransactionTimeout, kLongestMessage, {options_.topics.input}});
  if (!transactions) return pass(transactions);
  transactions_.emplace(std::move(*transactions));
  if (auto found = find_ranges(); !found) return found;
  auto stopped = topic_->read(ranges_, [this](const RejectedMessage& m) { return take(m); });
  if (!stopped) return abandon(stopped.error());
  next_ = std::move(*stopped);
  return commit();
}

Result<void> Redriver::rehearse() {
  if (auto found = find_ranges(); !found) return found;
  auto stopped = topic_->read(ranges_, [this](const RejectedMessage& message) {
    if (std::uint64_t* count = count_of(message, report_)) ++*count;
    return Result<void>();
  });
  if (!stopped) return pass(stopped);
  return {};
}

// From the first record that a lane has not passed.
Result<void> Redriver::find_ranges() {
  auto all = topic_->ranges();
  if (!all) return pass(all);
  for (Lane& lane : lanes_) {
    if (auto loaded = load_positions(lane, all->size()); !loaded) return loaded;
  }
  for (RejectedTopic::Range& range : *all) {
    Offset first = range.end;
    for (const Lane& lane : lanes_) {
      const auto known = lane.next.find(range.partition);
      const Offset next = known == lane.next.end() ? range.start : known->second;
      if (next > range.end) {
        return fail(ErrorKind::fatal,
                    "{}/{}: group {} stands at offset {}, the topic ends at {}: it was made anew; "
                    "delete the group to redrive what it has now",
                    options_.topics.rejected, range.partition, lane.group, next, range.end);
      }
      first = std::min(first, next);
    }
    range.start = std::max(range.start, first);
  }
  ranges_ = std::move(*all);
  return {};
}

Result<void> Redriver::load_positions(Lane& lane, std::size_t partitions) const {
  auto member = KafkaClient::make(RD_KAFKA_CONSUMER, kafka_,
                                  {{"group.id", lane.group},
                                   {"enable.auto.commit", "false"},
                                   // Transactions that are not over are waited for.
                                   {"isolation.level", "read_committed"}});
  if (!member) return pass(member);
  std::vector<PartitionId> all(partitions);
  std::iota(all.begin(), all.end(), PartitionId{0});
  const auto committed = keep_asking(kRedrivePatience, [&] {
    return (*member)->committed(lane.group, options_.topics.rejected, all, kRedrivePatience);
  });
  if (!committed) return pass(committed);
  for (std::size_t i = 0; i < partitions; ++i) {
    if (const auto& next = (*committed)[i]) lane.next[all[i]] = *next;
  }
  return {};
}

// Where the message counts; nowhere when it was not chosen, or was passed before.
std::uint64_t* Redriver::count_of(const RejectedMessage& message, RedriveReport& report) const {
  const bool was_redriven = message.redriven > 0;
  const auto lane = std::find_if(lanes_.begin(), lanes_.end(), [&](const Lane& l) {
    return l.reason == message.reason && l.is_again == (was_redriven && options_.sends_again);
  });
  if (lane == lanes_.end()) return nullptr;
  const auto next = lane->next.find(message.partition);
  if (next != lane->next.end() && message.offset < next->second) return nullptr;
  RedriveCounts& counts = report[lane->reason];
  if (message.truncated_from != 0) return &counts.cut;
  if (message.redriven >= kMostRedriven) return &counts.too_often;
  return was_redriven && !options_.sends_again ? &counts.again : &counts.sent;
}

Result<void> Redriver::take(const RejectedMessage& message) {
  std::uint64_t* count = count_of(message, batch_);
  if (count && count == &batch_[*message.reason].sent) {
    if (auto sent = send(message); !sent) return sent;
    ++batch_records_;
    batch_bytes_ += message.value.size();
  }
  if (count) ++*count;
  next_[message.partition] = message.offset + 1;
  const bool is_full =
      batch_records_ >= options_.batch_records || batch_bytes_ >= options_.batch_bytes;
  return is_full ? commit() : Result<void>();
}

Result<void> Redriver::send(const RejectedMessage& message) {
  if (auto begun = begin(); !begun) return begun;
  KafkaOutput output;
  output.key = message.key;
  output.value = message.value;
  const bool is_of_input = message.source_topic == options_.topics.input;
  const auto partitions = static_cast<std::uint64_t>(input_partitions_);
  if (is_of_input && message.source_partition && *message.source_partition < partitions) {
    output.partition = static_cast<PartitionId>(*message.source_partition);
  }
  output.headers = rd_kafka_headers_new(4);
  if (message.trace.data()) add_header(output.headers, kTraceParent, message.trace);
  if (message.trace_state.data()) add_header(output.headers, kTraceState, message.trace_state);
  if (message.form.data()) add_header(output.headers, kFormHeader, message.form);
  add_header(output.headers, kRedrivenHeader, std::to_string(message.redriven + 1));
  return transactions_->produce(output);
}

Result<void> Redriver::begin() {
  if (is_in_transaction_) return {};
  auto begun = transactions_->begin();
  is_in_transaction_ = begun.has_value();
  return begun;
}

Result<void> Redriver::commit() {
  std::vector<KafkaPositions> moved;
  for (const Lane& lane : lanes_) {
    KafkaPositions positions{lane.group, options_.topics.rejected, {}};
    for (const auto& [partition, next] : next_) {
      const auto known = lane.next.find(partition);
      const bool is_ahead = known == lane.next.end() || next > known->second;
      if (is_ahead) positions.offsets.push_back({partition, next});
    }
    if (!positions.offsets.empty()) moved.push_back(std::move(positions));
  }
  if (moved.empty()) return {};
  if (auto begun = begin(); !begun) return begun;
  is_in_transaction_ = false;  // whatever comes of it
  if (auto committed = transactions_->commit(moved); !committed) return committed;
  for (Lane& lane : lanes_) {
    for (const auto& [partition, next] : next_) {
      Offset& position = lane.next[partition];
      position = std::max(position, next);
    }
  }
  add(batch_, report_);
  batch_.clear();
  batch_records_ = 0;
  batch_bytes_ = 0;
  return {};
}

Result<void> Redriver::abandon(const Error& cause) {
  if (!is_in_transaction_) return Failure(cause);
  is_in_transaction_ = false;
  return transactions_->abort(cause);
}

}  // namespace dwell
