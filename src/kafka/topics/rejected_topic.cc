#include "kafka/topics/rejected_topic.h"

#include <algorithm>
#include <charconv>

#include "kafka/client/kafka_source.h"
#include "kafka/client/keep_asking.h"

namespace dwell {
namespace {

constexpr std::chrono::milliseconds kRejectsPatience{8'000};  // for an answer of the brokers

constexpr std::size_t kLongestKey = 32 << 10;  // a longer one is left out

// The whole text as a number.
std::optional<std::uint64_t> number_of(std::string_view text) {
  std::uint64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (text.empty() || error != std::errc() || stop != end) return {};
  return number;
}

void take_header(std::string_view name, std::string_view value, RejectedMessage& out) {
  if (name == "reason") {
    out.reason = reason_of(value);
    out.is_not_cleaned = value == kNotCleaned;
  }
  if (name == "detail") out.detail = value;
  if (name == "source.topic") out.source_topic = value;
  if (name == "source.partition") out.source_partition = number_of(value);
  if (name == "source.offset") out.source_offset = number_of(value);
  if (name == "truncated_from") out.truncated_from = number_of(value).value_or(0);
  if (name == kRedrivenHeader) out.redriven = number_of(value).value_or(0);
  if (name == kTraceParent) out.trace = value;
  if (name == kTraceState) out.trace_state = value;
  if (name == kFormHeader) out.form = value;
  if (name == "received") {
    const auto latest = static_cast<std::uint64_t>(to_ms(kLatest));
    if (const auto ms = number_of(value); ms && *ms <= latest) {
      out.received = from_ms(static_cast<std::int64_t>(*ms));
    }
  }
}

void read_message(const rd_kafka_message_t& message, RejectedMessage& out) {
  auto all = std::move(out.headers);
  all.clear();
  out = {};
  out.headers = std::move(all);
  out.partition = message.partition;
  out.offset = message.offset;
  out.key = bytes_of(message.key, message.key_len);
  out.value = bytes_of(message.payload, message.len);
  out.received = received_at(message);
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(&message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return;
  const char* name = nullptr;
  const void* data = nullptr;
  std::size_t size = 0;
  for (std::size_t i = 0;
       rd_kafka_header_get_all(headers, i, &name, &data, &size) == RD_KAFKA_RESP_ERR_NO_ERROR;
       ++i) {
    out.headers.emplace_back(name, bytes_of(data, size));
    take_header(name, bytes_of(data, size), out);
  }
}

}  // namespace

std::optional<Outcome> reason_of(std::string_view name) {
  const auto found = std::find(kOutcomeNames.begin(), kOutcomeNames.end(), name);
  if (found == kOutcomeNames.end()) return {};
  const auto outcome = static_cast<Outcome>(found - kOutcomeNames.begin());
  if (!is_rejected(outcome)) return {};
  return outcome;
}

RejectedOutput make_rejected(const rd_kafka_message_t& message, std::string_view reason,
                             const std::string& source_topic, std::size_t record_bytes) {
  RejectedOutput output;
  if (message.key_len <= kLongestKey) output.key = bytes_of(message.key, message.key_len);
  const auto value = bytes_of(message.payload, message.len);
  output.value = value.substr(0, record_bytes);
  output.headers = rd_kafka_headers_new(8);
  add_header(output.headers, "reason", reason);
  add_header(output.headers, "source.topic", source_topic);
  add_header(output.headers, "source.partition", std::to_string(message.partition));
  add_header(output.headers, "source.offset", std::to_string(message.offset));
  add_header(output.headers, "received", std::to_string(to_ms(received_at(message))));
  if (value.size() > record_bytes) {
    add_header(output.headers, "truncated_from", std::to_string(value.size()));
  }
  return output;
}

Result<std::unique_ptr<RejectedTopic>> RejectedTopic::open(const KafkaOptions& kafka,
                                                           std::string name,
                                                           const std::string& group) {
  auto client = KafkaClient::make_reader(kafka, group, {{"queued.max.messages.kbytes", "16384"}});
  if (!client) return pass(client);
  return std::unique_ptr<RejectedTopic>(new RejectedTopic(std::move(*client), std::move(name)));
}

Result<int> RejectedTopic::partition_count(const std::string& topic) const {
  return keep_asking(kRejectsPatience,
                     [&] { return client_->partition_count(topic, kRejectsPatience); });
}

Result<std::vector<RejectedTopic::Range>> RejectedTopic::ranges() const {
  const auto count = partition_count(name_);
  if (!count) return pass(count);
  std::vector<Range> found;
  for (PartitionId partition = 0; partition < *count; ++partition) {
    auto offsets = keep_asking(
        kRejectsPatience, [&] { return client_->offsets(name_, partition, kRejectsPatience); });
    if (!offsets) return pass(offsets);
    found.push_back({partition, offsets->low, offsets->high});
  }
  return found;
}

Result<std::map<PartitionId, Offset>> RejectedTopic::read(std::span<const Range> ranges,
                                                          const OnMessage& on_message) {
  const KafkaList list(rd_kafka_topic_partition_list_new(static_cast<int>(ranges.size())));
  std::map<PartitionId, Offset> stopped;
  std::map<PartitionId, Offset> unfinished;  // the ends
  for (const auto& [partition, start, end] : ranges) {
    stopped[partition] = start;
    if (start >= end) continue;
    rd_kafka_topic_partition_list_add(list.get(), name_.c_str(), partition)->offset = start;
    unfinished[partition] = end;
  }
  if (unfinished.empty()) return stopped;
  if (const auto code = client_->assign(list.get()); code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return kafka_failure(code, "topic " + name_);
  }
  const auto finish = [&](PartitionId partition, Offset next) {
    stopped[partition] = next;
    unfinished.erase(partition);
  };
  Result<void> result;
  while (result && !unfinished.empty()) {
    const KafkaMessage message(
        rd_kafka_consumer_poll(client_->get(), static_cast<int>(kRejectsPatience.count())));
    if (!message) {
      result = fail(ErrorKind::retry_later, "topic {}: the brokers send nothing", name_);
      continue;
    }
    const auto end = unfinished.find(message->partition);
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      // The offset counts the ends of transactions, which are no records.
      if (end != unfinished.end()) finish(end->first, std::min(message->offset, end->second));
    } else if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      auto failure = kafka_failure(message->err, "topic " + name_);
      // The client goes on by itself; if it cannot, nothing comes.
      if (failure.value().kind != ErrorKind::retry_later) result = failure;
    } else if (end != unfinished.end()) {
      if (message->offset >= end->second) {
        finish(end->first, end->second);
        continue;
      }
      read_message(*message, message_);
      result = on_message(message_);
      if (message->offset + 1 == end->second) finish(end->first, end->second);
    }
  }
  (void)client_->assign(nullptr);
  if (!result) return pass(result);
  return stopped;
}

}  // namespace dwell
