#include "kafka/client/range_reader.h"

#include <algorithm>
#include <chrono>
#include <map>

#include "kafka/client/kafka_source.h"

namespace dwell {
namespace {

constexpr std::chrono::seconds kReadPatience{10};  // without a record or an end
constexpr std::size_t kReadTogether = 4'000;
constexpr int kWaitMs = 5;  // for as many

}  // namespace

RangeReader::RangeReader(std::unique_ptr<KafkaClient> client)
    : client_(std::move(client)), queue_(rd_kafka_queue_get_consumer(client_->get())) {}

Result<std::unique_ptr<RangeReader>> RangeReader::open(const KafkaOptions& kafka,
                                                       const std::string& group) {
  auto client = KafkaClient::make_reader(kafka, group,
                                         {{"queued.min.messages", "100000"},
                                          // Wakes the thread that fetches, as in kafka_source.cc.
                                          {"topic.metadata.refresh.interval.ms", "20"}});
  if (!client) return pass(client);
  return std::unique_ptr<RangeReader>(new RangeReader(std::move(*client)));
}

// As the last answer of the broker says, transactions that are not over included.
Offset RangeReader::high_offset(const std::string& topic, PartitionId partition) const {
  Offset low = 0;
  Offset high = 0;
  rd_kafka_get_watermark_offsets(client_->get(), topic.c_str(), partition, &low, &high);
  return high;
}

Result<void> RangeReader::read(const std::string& topic, std::span<const OffsetRange> ranges,
                               const Take& take) {
  const KafkaList list(rd_kafka_topic_partition_list_new(static_cast<int>(ranges.size())));
  std::map<PartitionId, Offset> ends;  // of what is not read yet
  for (const OffsetRange& range : ranges) {
    if (range.start >= range.end) continue;
    rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), range.partition)->offset =
        range.start;
    ends[range.partition] = range.end;
  }
  if (ends.empty()) return {};
  if (const auto code = client_->assign(list.get()); code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return kafka_failure(code, topic);
  }
  Messages wanted;
  const auto look_at = [&](const rd_kafka_message_t& message) -> Result<void> {
    const auto unread = ends.find(message.partition);
    if (unread == ends.end()) return {};
    if (message.err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      // More behind the end: of a transaction whose outcome this broker does not know yet.
      if (message.offset >= high_offset(topic, message.partition)) ends.erase(unread);
      return {};
    }
    if (message.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return kafka_failure(message.err, input_name(topic, message.partition));
    }
    if (message.offset < unread->second) wanted.push_back(&message);
    if (message.offset + 1 >= unread->second) ends.erase(unread);
    return {};
  };
  std::vector<rd_kafka_message_t*> messages(kReadTogether);
  auto last_at = std::chrono::steady_clock::now();
  Result<void> result;
  while (result && !ends.empty()) {
    const auto count =
        rd_kafka_consume_batch_queue(queue_.get(), kWaitMs, messages.data(), messages.size());
    const auto now = std::chrono::steady_clock::now();
    if (count > 0) {
      last_at = now;
    } else if (now - last_at > kReadPatience) {
      result = fail(ErrorKind::retry_later, "{}: the broker sends nothing", topic);
    }
    wanted.clear();
    std::vector<KafkaMessage> owned(messages.begin(),
                                    messages.begin() + std::max<ssize_t>(0, count));
    for (const KafkaMessage& message : owned) {
      if (result) result = look_at(*message);
    }
    if (result) result = take(wanted);
  }
  (void)client_->assign(nullptr);
  return result;
}

}  // namespace dwell
