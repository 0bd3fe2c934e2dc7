#include "kafka/topics/rejected_producer.h"

#include "kafka/client/record_trace.h"
#include "kafka/topics/rejected_topic.h"

namespace dwell {
namespace {

constexpr std::chrono::seconds kDeliveryPatience{10};

}  // namespace

Result<std::unique_ptr<RejectedProducer>> RejectedProducer::open(const KafkaOptions& kafka,
                                                                 const std::string& topic,
                                                                 std::size_t record_bytes) {
  auto client =
      KafkaClient::make(RD_KAFKA_PRODUCER, kafka,
                        {{"enable.idempotence", "true"},
                         {"message.max.bytes", std::to_string(record_bytes + kRejectedOverhead)},
                         {"compression.codec", "lz4"},
                         {"topic.metadata.propagation.max.ms", "1000"},  // then it is missing
                         {"partitioner", "murmur2_random"}},
                        RD_KAFKA_EVENT_DR);
  if (!client) return pass(client);
  KafkaTopic handle(rd_kafka_topic_new((*client)->get(), topic.c_str(), nullptr));
  return std::unique_ptr<RejectedProducer>(
      new RejectedProducer(std::move(*client), std::move(handle), record_bytes));
}

Result<void> RejectedProducer::add(const rd_kafka_message_t& message,
                                   const std::string& source_topic, std::string_view detail,
                                   const std::optional<TraceContext>& trace) {
  const RejectedOutput rejected = make_rejected(message, kNotCleaned, source_topic, record_bytes_);
  add_header(rejected.headers, "detail", detail);
  pass_trace(message, trace, rejected.headers);
  is_empty_ = false;
  for (;;) {
    const auto code = rd_kafka_producev(
        client_->get(), RD_KAFKA_V_RKT(topic_.get()), RD_KAFKA_V_PARTITION(RD_KAFKA_PARTITION_UA),
        RD_KAFKA_V_KEY(rejected.key.data(), rejected.key.size()),
        RD_KAFKA_V_VALUE(const_cast<char*>(rejected.value.data()), rejected.value.size()),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_HEADERS(rejected.headers),
        RD_KAFKA_V_END);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
    if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
      rd_kafka_headers_destroy(rejected.headers);
      return kafka_failure(code, rd_kafka_topic_name(topic_.get()));
    }
    if (auto flushed = flush(); !flushed) {
      rd_kafka_headers_destroy(rejected.headers);
      return flushed;
    }
    is_empty_ = false;
  }
}

// Each record has a report of its own: a topic may refuse one, and take the next.
Result<void> RejectedProducer::flush() {
  if (is_empty_) return {};
  const std::string_view topic = rd_kafka_topic_name(topic_.get());
  const KafkaQueue reports(rd_kafka_queue_get_main(client_->get()));
  const auto deadline = std::chrono::steady_clock::now() + kDeliveryPatience;
  std::optional<rd_kafka_resp_err_t> refused;
  while (rd_kafka_outq_len(client_->get()) > 0) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return kafka_failure(RD_KAFKA_RESP_ERR__TIMED_OUT, topic);
    const KafkaEvent event(rd_kafka_queue_poll(reports.get(), static_cast<int>(left.count())));
    if (!event || rd_kafka_event_type(event.get()) != RD_KAFKA_EVENT_DR) continue;
    while (const rd_kafka_message_t* message = rd_kafka_event_message_next(event.get())) {
      if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) refused = message->err;
    }
  }
  is_empty_ = true;
  if (refused) return client_->failure(*refused, topic);
  return {};
}

}  // namespace dwell
