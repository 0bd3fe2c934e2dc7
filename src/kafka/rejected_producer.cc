#include "kafka/rejected_producer.h"

#include <algorithm>

namespace dwell {
namespace {

constexpr int kPatienceMs = 10'000;
constexpr std::size_t kOfHeaders = 64 << 10;   // what key and headers may add
constexpr std::size_t kLongestKey = 32 << 10;  // a longer one is left out

void add_header(rd_kafka_headers_t* headers, std::string_view name, std::string_view value) {
  rd_kafka_header_add(headers, name.data(), static_cast<ssize_t>(name.size()), value.data(),
                      static_cast<ssize_t>(value.size()));
}

}  // namespace

Result<std::unique_ptr<RejectedProducer>> RejectedProducer::open(const KafkaOptions& kafka,
                                                                 const std::string& topic,
                                                                 std::size_t record_bytes) {
  auto client = KafkaClient::make(RD_KAFKA_PRODUCER, kafka,
                                  {{"enable.idempotence", "true"},
                                   {"message.max.bytes", std::to_string(record_bytes + kOfHeaders)},
                                   {"compression.codec", "lz4"},
                                   {"partitioner", "murmur2_random"}});
  if (!client) return pass(client);
  KafkaTopic handle(rd_kafka_topic_new((*client)->get(), topic.c_str(), nullptr));
  return std::unique_ptr<RejectedProducer>(
      new RejectedProducer(std::move(*client), std::move(handle), record_bytes));
}

Result<void> RejectedProducer::add(const rd_kafka_message_t& message,
                                   const std::string& source_topic, std::string_view detail) {
  rd_kafka_headers_t* headers = rd_kafka_headers_new(8);
  add_header(headers, "reason", "not_cleaned");
  add_header(headers, "detail", detail);
  add_header(headers, "source.topic", source_topic);
  add_header(headers, "source.partition", std::to_string(message.partition));
  add_header(headers, "source.offset", std::to_string(message.offset));
  add_header(headers, "received", std::to_string(to_ms(received_at(message))));
  if (message.payload && message.len > record_bytes_) {
    add_header(headers, "truncated_from", std::to_string(message.len));
  }
  const bool has_key = message.key && message.key_len <= kLongestKey;
  const void* key = has_key ? message.key : nullptr;
  const std::size_t key_size = has_key ? message.key_len : 0;
  const std::size_t size = message.payload ? std::min(message.len, record_bytes_) : 0;
  is_empty_ = false;
  for (;;) {
    const auto code = rd_kafka_producev(
        client_->get(), RD_KAFKA_V_RKT(topic_.get()), RD_KAFKA_V_PARTITION(RD_KAFKA_PARTITION_UA),
        RD_KAFKA_V_KEY(key, key_size), RD_KAFKA_V_VALUE(message.payload, size),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
    if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
      rd_kafka_headers_destroy(headers);
      return kafka_failure(code, rd_kafka_topic_name(topic_.get()));
    }
    if (auto flushed = flush(); !flushed) {
      rd_kafka_headers_destroy(headers);
      return flushed;
    }
    is_empty_ = false;
  }
}

Result<void> RejectedProducer::flush() {
  if (is_empty_) return {};
  const auto code = rd_kafka_flush(client_->get(), kPatienceMs);
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return kafka_failure(code, rd_kafka_topic_name(topic_.get()));
  }
  is_empty_ = true;
  return {};
}

}  // namespace dwell
