#pragma once

#include <chrono>
#include <functional>
#include <librdkafka/rdkafka.h>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/timestamp.h"
#include "kafka/client/kafka_options.h"

namespace dwell {

// What librdkafka says, without the values of `extra`: any may be a secret, and it quotes them.
std::string without_secrets(std::string_view text, const KafkaOptions& options);

// How long brokers may take for one answer.
inline constexpr std::chrono::milliseconds kBrokerPatience{5'000};

using KafkaSettings = std::vector<std::pair<std::string, std::string>>;

// The C handles of librdkafka, freed with their owner.
template <auto free>
struct KafkaFree {
  template <typename T>
  void operator()(T* handle) const {
    free(handle);
  }
};
template <typename T, auto free>
using KafkaHandle = std::unique_ptr<T, KafkaFree<free>>;

using KafkaConf = KafkaHandle<rd_kafka_conf_t, rd_kafka_conf_destroy>;
using KafkaTopic = KafkaHandle<rd_kafka_topic_t, rd_kafka_topic_destroy>;
using KafkaQueue = KafkaHandle<rd_kafka_queue_t, rd_kafka_queue_destroy>;
using KafkaMessage = KafkaHandle<rd_kafka_message_t, rd_kafka_message_destroy>;
using KafkaEvent = KafkaHandle<rd_kafka_event_t, rd_kafka_event_destroy>;
using KafkaList =
    KafkaHandle<rd_kafka_topic_partition_list_t, rd_kafka_topic_partition_list_destroy>;
using KafkaTopicPartition =
    KafkaHandle<rd_kafka_topic_partition_t, rd_kafka_topic_partition_destroy>;
using KafkaGroup =
    KafkaHandle<rd_kafka_consumer_group_metadata_t, rd_kafka_consumer_group_metadata_destroy>;
using KafkaError = KafkaHandle<rd_kafka_error_t, rd_kafka_error_destroy>;

// A client of a cluster, of either type. Destroying it does not wait for the brokers.
class KafkaClient {
 public:
  // `settings` on top of what all clients have; `events` is a mask of RD_KAFKA_EVENT_* to be polled
  // for, the rest goes to callbacks. Errors: invalid (a setting is wrong; says which).
  static Result<std::unique_ptr<KafkaClient>> make(rd_kafka_type_t type,
                                                   const KafkaOptions& options,
                                                   const KafkaSettings& settings, int events = 0);
  // A consumer of committed records that is assigned its partitions and told where they end;
  // `group` is named to the brokers and never joined.
  static Result<std::unique_ptr<KafkaClient>> make_reader(const KafkaOptions& options,
                                                          const std::string& group,
                                                          const KafkaSettings& settings = {});
  ~KafkaClient();
  KafkaClient(const KafkaClient&) = delete;
  KafkaClient& operator=(const KafkaClient&) = delete;

  rd_kafka_t* get() const { return handle_; }

  // Of a consumer: what it reads from now on; without a list, nothing.
  rd_kafka_resp_err_t assign(const rd_kafka_topic_partition_list_t* list);

  // kafka_failure() of what a call of this client returned. When it cannot go on, of the cause.
  [[nodiscard]] Failure failure(rd_kafka_resp_err_t code, std::string_view what) const;

  // The cluster's own id. Errors: retry_later.
  Result<std::string> cluster_id(std::chrono::milliseconds timeout) const;
  // How many partitions a topic has. Errors: retry_later, not_found.
  Result<int> partition_count(const std::string& topic, std::chrono::milliseconds timeout) const;
  // The first offset of a partition and the one after its last, open transactions included.
  // Errors: retry_later, not_found.
  struct Offsets {
    std::int64_t low;
    std::int64_t high;
  };
  Result<Offsets> offsets(const std::string& topic, std::int32_t partition,
                          std::chrono::milliseconds timeout) const;
  // Of a consumer: the next offset that its group has committed in each of `partitions`; empty
  // where it has none. `group` is for messages. Errors: retry_later, not_found, invalid.
  Result<std::vector<std::optional<std::int64_t>>> committed(
      const std::string& group, const std::string& topic, std::span<const std::int32_t> partitions,
      std::chrono::milliseconds timeout) const;
  // Where a partition ends, as the brokers told with the records that were fetched last; empty
  // before. Asks nobody; any thread.
  std::optional<std::int64_t> end_of(const std::string& topic, std::int32_t partition) const;

 private:
  explicit KafkaClient(const KafkaOptions& options) : options_(options) {}

  void log(int severity, std::string_view text) const;

  const KafkaOptions options_;
  rd_kafka_t* handle_ = nullptr;
  std::vector<KafkaQueue> assigned_;  // one a partition that is read
};

// Bytes of a message; without data() where it has none.
inline std::string_view bytes_of(const void* data, std::size_t size) {
  return {static_cast<const char*>(data), data ? size : 0};
}

void add_header(rd_kafka_headers_t* headers, std::string_view name, std::string_view value);
// The last header of this name; without data(): none.
std::string_view header_of(const rd_kafka_message_t& message, const char* name);
// What came with a message stays with what it became, up to 1 KiB.
void pass_header(const rd_kafka_message_t& message, const char* name, rd_kafka_headers_t* headers);

// When the broker received it, or when it was made, as the topic is set up. In the range of times.
Timestamp received_at(const rd_kafka_message_t& message);

// What an error of librdkafka asks for. `what` was tried, as in "device-events/3: cannot be read".
[[nodiscard]] Failure kafka_failure(rd_kafka_resp_err_t code, std::string_view what);
// Takes the error over.
[[nodiscard]] Failure kafka_failure(rd_kafka_error_t* error, std::string_view what);

}  // namespace dwell
