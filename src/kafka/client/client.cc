#include "kafka/client/client.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "base/check.h"
#include "base/mask.h"

namespace dwell {
namespace {

constexpr std::chrono::milliseconds kLongestEmptying{500};  // of the queues of a client that ends

// Others have this client's place: its member id, its transactional id, or its partitions.
bool is_fenced(rd_kafka_resp_err_t code) {
  switch (code) {
    case RD_KAFKA_RESP_ERR__FENCED:
    case RD_KAFKA_RESP_ERR_PRODUCER_FENCED:
    case RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH:
    case RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID:
    case RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION:
    case RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS:
    case RD_KAFKA_RESP_ERR__ASSIGNMENT_LOST:
    case RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED:
    // A stall of the brokers looks like it as well: requests of a member that has joined again
    // meanwhile are answered when the brokers go on.
    case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
      return true;
    default:
      return false;
  }
}

ErrorKind kind_of(rd_kafka_resp_err_t code) {
  if (is_fenced(code)) return ErrorKind::lost_ownership;
  switch (code) {
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
      return ErrorKind::not_found;
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR__INVALID_ARG:
    case RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT:
      return ErrorKind::invalid;
    case RD_KAFKA_RESP_ERR__FATAL:
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
    case RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE:
      return ErrorKind::fatal;
    default:
      return ErrorKind::retry_later;
  }
}

// What to do about it, where an error does not say it.
std::string_view mend_of(rd_kafka_resp_err_t code) {
  switch (code) {
    case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
      return "; if it lasts, another process has this instance.id: give each its own";
    case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
      return "; `dwell topics check` tells which message.timestamp setting of a topic is too "
             "narrow";
    default:
      return "";
  }
}

}  // namespace

void add_header(rd_kafka_headers_t* headers, std::string_view name, std::string_view value) {
  rd_kafka_header_add(headers, name.data(), static_cast<ssize_t>(name.size()), value.data(),
                      static_cast<ssize_t>(value.size()));
}

std::string_view header_of(const rd_kafka_message_t& message, const char* name) {
  rd_kafka_headers_t* headers = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  if (rd_kafka_message_headers(&message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR ||
      rd_kafka_header_get_last(headers, name, &value, &size) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return {};
  }
  return bytes_of(value, size);
}

void pass_header(const rd_kafka_message_t& message, const char* name, rd_kafka_headers_t* headers) {
  constexpr std::size_t kLongest = 1 << 10;
  const auto value = header_of(message, name);
  if (value.data() && value.size() <= kLongest) add_header(headers, name, value);
}

Timestamp received_at(const rd_kafka_message_t& message) {
  rd_kafka_timestamp_type_t type{};
  const std::int64_t ms = rd_kafka_message_timestamp(&message, &type);
  // Messages older than the timestamps of Kafka 0.10 have none.
  return std::clamp(from_ms(ms), kEarliest, kLatest);
}

Failure kafka_failure(rd_kafka_resp_err_t code, std::string_view what) {
  return fail(kind_of(code), "{}: {}{}", what, rd_kafka_err2str(code), mend_of(code));
}

Failure kafka_failure(rd_kafka_error_t* error, std::string_view what) {
  const KafkaError owned(error);
  const auto code = rd_kafka_error_code(error);
  const auto kind = is_fenced(code)                       ? ErrorKind::lost_ownership
                    : kind_of(code) == ErrorKind::invalid ? ErrorKind::invalid
                    : rd_kafka_error_is_fatal(error)      ? ErrorKind::fatal
                    : rd_kafka_error_is_retriable(error)  ? ErrorKind::retry_later
                                                          : kind_of(code);
  return fail(kind, "{}: {}{}", what, rd_kafka_error_string(error), mend_of(code));
}

Failure KafkaClient::failure(rd_kafka_resp_err_t code, std::string_view what) const {
  if (code != RD_KAFKA_RESP_ERR__FATAL) return kafka_failure(code, what);
  std::array<char, 512> reason{};
  return kafka_failure(rd_kafka_fatal_error(handle_, reason.data(), reason.size()), what);
}

std::string without_secrets(std::string_view text, const KafkaOptions& options) {
  std::vector<std::string> secrets;
  for (const auto& [name, value] : options.extra) secrets.push_back(value);
  return masked(text, secrets);
}

void KafkaClient::log(int severity, std::string_view text) const {
  if (options_.on_log) options_.on_log(severity, without_secrets(text, options_));
}

Result<std::unique_ptr<KafkaClient>> KafkaClient::make(rd_kafka_type_t type,
                                                       const KafkaOptions& options,
                                                       const KafkaSettings& settings, int events) {
  std::unique_ptr<KafkaClient> client(new KafkaClient(options));
  KafkaConf conf(rd_kafka_conf_new());
  std::array<char, 512> reason{};
  const auto set = [&](const std::string& name, const std::string& value) {
    return rd_kafka_conf_set(conf.get(), name.c_str(), value.c_str(), reason.data(),
                             reason.size()) == RD_KAFKA_CONF_OK;
  };
  KafkaSettings all{{"bootstrap.servers", options.brokers}};
  all.insert(all.end(), settings.begin(), settings.end());
  all.insert(all.end(), options.extra.begin(), options.extra.end());
  for (const auto& [name, value] : all) {
    if (!set(name, value)) {
      // The reason may quote the value, which may be a secret.
      return fail(ErrorKind::invalid, "kafka.extra: librdkafka refuses the setting {}", name);
    }
  }
  rd_kafka_conf_set_opaque(conf.get(), client.get());
  rd_kafka_conf_set_log_cb(
      conf.get(), [](const rd_kafka_t* handle, int severity, const char*, const char* text) {
        const auto* self = static_cast<const KafkaClient*>(rd_kafka_opaque(handle));
        if (self) self->log(severity, text);
      });
  // With a delivery callback, even an empty one, a flush ends when the last report is there and not
  // at the next of its 10 ms steps.
  if (type == RD_KAFKA_PRODUCER) {
    rd_kafka_conf_set_dr_msg_cb(conf.get(), [](rd_kafka_t*, const rd_kafka_message_t*, void*) {});
  }
  if (events != 0) rd_kafka_conf_set_events(conf.get(), events);
  client->handle_ = rd_kafka_new(type, conf.get(), reason.data(), reason.size());
  if (!client->handle_) {
    return fail(ErrorKind::invalid, "brokers {}: {}", options.brokers,
                without_secrets(reason.data(), options));
  }
  (void)conf.release();  // the client's now
  return client;
}

Result<std::unique_ptr<KafkaClient>> KafkaClient::make_reader(const KafkaOptions& options,
                                                              const std::string& group,
                                                              const KafkaSettings& settings) {
  KafkaSettings all{{"group.id", group},
                    {"enable.auto.commit", "false"},
                    {"enable.auto.offset.store", "false"},
                    {"auto.offset.reset", "error"},
                    {"isolation.level", "read_committed"},
                    {"enable.partition.eof", "true"},
                    {"fetch.wait.max.ms", "10"}};
  all.insert(all.end(), settings.begin(), settings.end());
  auto reader = make(RD_KAFKA_CONSUMER, options, all);
  if (reader) rd_kafka_poll_set_consumer((*reader)->get());
  return reader;
}

// What was said of a partition whose topic was deleted, and what holds it, wait for each other: a
// client that ends would wait for both for ever (librdkafka 2.0.2, its issue 4187).
KafkaClient::~KafkaClient() {
  const auto deadline = std::chrono::steady_clock::now() + kLongestEmptying;
  for (const KafkaQueue& queue : assigned_) {
    rd_kafka_queue_forward(queue.get(), nullptr);
    while (std::chrono::steady_clock::now() < deadline) {
      if (!KafkaEvent(rd_kafka_queue_poll(queue.get(), 0))) break;
    }
  }
  assigned_.clear();
  if (handle_) rd_kafka_destroy_flags(handle_, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}

rd_kafka_resp_err_t KafkaClient::assign(const rd_kafka_topic_partition_list_t* list) {
  const auto code = rd_kafka_assign(handle_, list);
  // Those of before are kept until others come: they may still be on their way out.
  if (!list || code != RD_KAFKA_RESP_ERR_NO_ERROR) return code;
  assigned_.clear();
  for (int i = 0; i < list->cnt; ++i) {
    const auto& one = list->elems[i];
    assigned_.emplace_back(rd_kafka_queue_get_partition(handle_, one.topic, one.partition));
  }
  return code;
}

Result<std::string> KafkaClient::cluster_id(std::chrono::milliseconds timeout) const {
  char* id = rd_kafka_clusterid(handle_, static_cast<int>(timeout.count()));
  if (!id) return fail(ErrorKind::retry_later, "no broker answers");
  std::string copy(id);
  rd_kafka_mem_free(handle_, id);
  return copy;
}

Result<int> KafkaClient::partition_count(const std::string& topic,
                                         std::chrono::milliseconds timeout) const {
  const KafkaTopic handle(rd_kafka_topic_new(handle_, topic.c_str(), nullptr));
  const struct rd_kafka_metadata* metadata = nullptr;
  const auto code =
      rd_kafka_metadata(handle_, 0, handle.get(), &metadata, static_cast<int>(timeout.count()));
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return failure(code, "topic " + topic);
  const KafkaHandle<const struct rd_kafka_metadata, rd_kafka_metadata_destroy> owned(metadata);
  CHECK(metadata->topic_cnt == 1);
  const auto& found = metadata->topics[0];
  if (found.err != RD_KAFKA_RESP_ERR_NO_ERROR) return failure(found.err, "topic " + topic);
  return found.partition_cnt;
}

Result<KafkaClient::Offsets> KafkaClient::offsets(const std::string& topic, std::int32_t partition,
                                                  std::chrono::milliseconds timeout) const {
  Offsets found{};
  const auto code =
      rd_kafka_query_watermark_offsets(handle_, topic.c_str(), partition, &found.low, &found.high,
                                       static_cast<int>(timeout.count()));
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return failure(code, fmt::format("{}/{}", topic, partition));
  }
  return found;
}

Result<std::vector<std::optional<std::int64_t>>> KafkaClient::committed(
    const std::string& group, const std::string& topic, std::span<const std::int32_t> partitions,
    std::chrono::milliseconds timeout) const {
  const KafkaList list(rd_kafka_topic_partition_list_new(static_cast<int>(partitions.size())));
  for (const std::int32_t partition : partitions) {
    rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), partition);
  }
  const auto code = rd_kafka_committed(handle_, list.get(), static_cast<int>(timeout.count()));
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return failure(code, "group " + group);
  std::vector<std::optional<std::int64_t>> found(partitions.size());
  for (std::size_t i = 0; i < partitions.size(); ++i) {
    const auto& one = list->elems[i];
    if (one.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return failure(one.err, fmt::format("{}/{}", topic, partitions[i]));
    }
    if (one.offset >= 0) found[i] = one.offset;
  }
  return found;
}

std::optional<std::int64_t> KafkaClient::end_of(const std::string& topic,
                                                std::int32_t partition) const {
  std::int64_t first = RD_KAFKA_OFFSET_INVALID;
  std::int64_t end = RD_KAFKA_OFFSET_INVALID;
  rd_kafka_get_watermark_offsets(get(), topic.c_str(), partition, &first, &end);
  if (end == RD_KAFKA_OFFSET_INVALID) return {};
  return end;
}

}  // namespace dwell
