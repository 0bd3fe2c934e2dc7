#pragma once

#include <functional>
#include <map>
#include <optional>
#include <span>

#include "core/event.h"
#include "core/record.h"
#include "kafka/client/client.h"
#include "kafka/topics/redrive_options.h"
#include "telemetry/trace_context.h"

namespace dwell {

// Headers that go with a record from the input to the rejected topic and back.
inline constexpr const char* kRedrivenHeader = "dwell.redriven";  // how often it was sent back

// A record of the rejected topic; docs/formats.md ("Rejected records"). What a record lacks, as one
// of another program may, is empty. Views belong to the message it was read from.
struct RejectedMessage {
  PartitionId partition = 0;
  Offset offset = 0;
  std::string_view key;                                                // without data(): none
  std::string_view value;                                              // without data(): none
  std::vector<std::pair<std::string_view, std::string_view>> headers;  // all, as they came

  std::optional<Outcome> reason;  // empty: none of the rule's
  bool is_not_cleaned = false;    // the store could not use it; never redriven
  std::string_view detail;        // what is wrong with it, where a header says so
  std::string_view source_topic;
  std::optional<std::uint64_t> source_partition;
  std::optional<std::uint64_t> source_offset;
  Timestamp received{};
  std::uint64_t truncated_from = 0;  // 0: the value is whole
  std::uint64_t redriven = 0;
  std::string_view trace;        // traceparent; without data(): none
  std::string_view trace_state;  // the same
  std::string_view form;         // dwell.form; without data(): none
};

// What key and headers may add to a record of the rejected topic.
inline constexpr std::size_t kRejectedOverhead = 64 << 10;

// A message as it goes to the rejected topic; views belong to the message.
struct RejectedOutput {
  std::string_view key = {};              // without data(): none, or one that is too long
  std::string_view value = {};            // without data(): none
  rd_kafka_headers_t* headers = nullptr;  // to be handed on
};
// `source_topic` is where it was read; one longer than `record_bytes` is cut.
RejectedOutput make_rejected(const rd_kafka_message_t& message, std::string_view reason,
                             const std::string& source_topic, std::size_t record_bytes);

// The reason of a name; empty for any other text.
std::optional<Outcome> reason_of(std::string_view name);

// Reads the rejected topic, committed transactions only. Not thread-safe.
class RejectedTopic {
 public:
  // `group` is named to the brokers and never joined.
  static Result<std::unique_ptr<RejectedTopic>> open(const KafkaOptions& kafka, std::string name,
                                                     const std::string& group);

  struct Range {
    PartitionId partition;
    Offset start;
    Offset end;
  };
  // What each partition has now. Errors: retry_later, not_found.
  Result<std::vector<Range>> ranges() const;

  // Hands the records of the ranges over, each partition in order, until `take` fails. Gives where
  // it stopped in each: at the end, or where a transaction began that is not over yet. Errors:
  // retry_later, fatal, and those of `take`.
  using OnMessage = std::function<Result<void>(const RejectedMessage& message)>;
  Result<std::map<PartitionId, Offset>> read(std::span<const Range> ranges,
                                             const OnMessage& on_message);

  // How many partitions another topic has. Errors: retry_later, not_found.
  Result<int> partition_count(const std::string& topic) const;

 private:
  RejectedTopic(std::unique_ptr<KafkaClient> client, std::string name)
      : client_(std::move(client)), name_(std::move(name)) {}

  std::unique_ptr<KafkaClient> client_;
  std::string name_;
  RejectedMessage message_;  // scratch
};

}  // namespace dwell
