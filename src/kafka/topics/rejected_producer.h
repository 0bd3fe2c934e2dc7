#pragma once

#include <optional>

#include "kafka/client/client.h"
#include "telemetry/trace_context.h"

namespace dwell {

// Writes what the store cannot use to the rejected topic, at least once: reason `not_cleaned`,
// which a redrive leaves alone, and `detail`, with the trace they came with or `trace`. Not
// thread-safe.
class RejectedProducer {
 public:
  static Result<std::unique_ptr<RejectedProducer>> open(const KafkaOptions& kafka,
                                                        const std::string& topic,
                                                        std::size_t record_bytes);

  // Errors: retry_later, fatal.
  Result<void> add(const rd_kafka_message_t& message, const std::string& source_topic,
                   std::string_view detail, const std::optional<TraceContext>& trace = {});
  // Waits until the brokers have all of them; after an error all since the last flush are to be
  // added again. Errors: as kafka_failure(), of a record that the topic refused too.
  Result<void> flush();

  std::string_view topic() const { return rd_kafka_topic_name(topic_.get()); }

 private:
  RejectedProducer(std::unique_ptr<KafkaClient> client, KafkaTopic topic, std::size_t record_bytes)
      : client_(std::move(client)), topic_(std::move(topic)), record_bytes_(record_bytes) {}

  std::unique_ptr<KafkaClient> client_;
  KafkaTopic topic_;
  std::size_t record_bytes_;
  bool is_empty_ = true;
};

}  // namespace dwell
