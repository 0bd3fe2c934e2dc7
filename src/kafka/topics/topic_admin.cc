#include "kafka/topics/topic_admin.h"

#include <algorithm>
#include <array>
#include <thread>

#include "base/check.h"
#include "kafka/client/keep_asking.h"

namespace dwell {
namespace {

constexpr const char* kPolicy = "cleanup.policy";

using AdminOptions = KafkaHandle<rd_kafka_AdminOptions_t, rd_kafka_AdminOptions_destroy>;
using ConfigResource = KafkaHandle<rd_kafka_ConfigResource_t, rd_kafka_ConfigResource_destroy>;

// May be otherwise a moment later.
bool is_passing(rd_kafka_resp_err_t code) {
  switch (code) {
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE:
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__WAIT_COORD:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
    case RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION:
    case RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NOT_CONTROLLER:
    case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION:
    case RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS:
    case RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NOT_COORDINATOR:
      return true;
    default:
      return false;
  }
}

bool is_missing(rd_kafka_resp_err_t code) {
  return code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
         code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC || code == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION;
}

KafkaList list_of(const std::string& topic, int partitions) {
  KafkaList list(rd_kafka_topic_partition_list_new(partitions));
  for (int i = 0; i < partitions; ++i) {
    rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), i);
  }
  return list;
}

}  // namespace

Result<TopicAdmin> TopicAdmin::open(const KafkaOptions& kafka, std::chrono::milliseconds patience) {
  // A producer would have brokers make the topics it asks about.
  auto client = KafkaClient::make(
      RD_KAFKA_CONSUMER, kafka,
      {{"allow.auto.create.topics", "false"}, {"isolation.level", "read_uncommitted"}});
  if (!client) return pass(client);
  return TopicAdmin(std::move(*client), kafka, patience);
}

Failure TopicAdmin::failure(rd_kafka_resp_err_t code, std::string_view what,
                            const char* reason) const {
  const auto kind = is_passing(code)   ? ErrorKind::retry_later
                    : is_missing(code) ? ErrorKind::not_found
                                       : ErrorKind::fatal;
  return fail(kind, "brokers {}: {}: {}", kafka_.brokers, what,
              without_secrets(reason && *reason ? reason : rd_kafka_err2str(code), kafka_));
}

// One request and its answer; `request` gets the options and the queue of the answer.
template <typename Request>
Result<KafkaEvent> TopicAdmin::ask(std::string_view what, Request request) const {
  rd_kafka_t* handle = client_->get();
  const AdminOptions options(rd_kafka_AdminOptions_new(handle, RD_KAFKA_ADMIN_OP_ANY));
  std::array<char, 256> reason{};
  const auto set = rd_kafka_AdminOptions_set_request_timeout(
      options.get(), static_cast<int>(kBrokerPatience.count()), reason.data(), reason.size());
  CHECK(set == RD_KAFKA_RESP_ERR_NO_ERROR);
  const KafkaQueue queue(rd_kafka_queue_new(handle));
  request(options.get(), queue.get());
  KafkaEvent event(rd_kafka_queue_poll(queue.get(), static_cast<int>(2 * kBrokerPatience.count())));
  if (!event) return failure(RD_KAFKA_RESP_ERR__TIMED_OUT, what);
  const auto code = rd_kafka_event_error(event.get());
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return failure(code, what, rd_kafka_event_error_string(event.get()));
  }
  return event;
}

Result<std::optional<TopicAdmin::Layout>> TopicAdmin::layout(const std::string& topic) const {
  return keep_asking(patience_ - kBrokerPatience, [&]() -> Result<std::optional<Layout>> {
    const auto what = "topic " + topic;
    const KafkaTopic handle(rd_kafka_topic_new(client_->get(), topic.c_str(), nullptr));
    if (!handle) return failure(RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, what);
    const struct rd_kafka_metadata* metadata = nullptr;
    const auto code = rd_kafka_metadata(client_->get(), 0, handle.get(), &metadata,
                                        static_cast<int>(kBrokerPatience.count()));
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return failure(code, what);
    const KafkaHandle<const struct rd_kafka_metadata, rd_kafka_metadata_destroy> owned(metadata);
    CHECK(metadata->topic_cnt == 1);
    const auto& found = metadata->topics[0];
    if (is_missing(found.err)) return std::optional<Layout>();
    if (found.err != RD_KAFKA_RESP_ERR_NO_ERROR) return failure(found.err, what);
    if (found.partition_cnt == 0) return failure(RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, what);
    for (int i = 0; i < found.partition_cnt; ++i) {
      const auto& partition = found.partitions[i];
      if (partition.leader < 0) return failure(RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, what);
    }
    return std::optional<Layout>({found.partition_cnt, found.partitions[0].replica_cnt});
  });
}

Result<bool> TopicAdmin::create(const NewTopic& topic) const {
  auto created = keep_asking(patience_ - kBrokerPatience, [&] { return create_once(topic); });
  if (!created) return created;
  // Brokers learn of it one by one.
  auto known = keep_asking(patience_ - kBrokerPatience, [&]() -> Result<void> {
    const auto found = layout(topic.name);
    if (!found) return pass(found);
    if (!*found) return failure(RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, "topic " + topic.name);
    return {};
  });
  if (!known) return pass(known);
  return created;
}

Result<bool> TopicAdmin::create_once(const NewTopic& topic) const {
  const auto what = "topic " + topic.name;
  std::array<char, 256> reason{};
  const KafkaHandle<rd_kafka_NewTopic_t, rd_kafka_NewTopic_destroy> wanted(rd_kafka_NewTopic_new(
      topic.name.c_str(), topic.partitions, topic.replication, reason.data(), reason.size()));
  if (!wanted) return fail(ErrorKind::invalid, "{}: {}", what, reason.data());
  for (const auto& [name, value] : topic.settings) {
    const auto set = rd_kafka_NewTopic_set_config(wanted.get(), name.c_str(), value.c_str());
    CHECK(set == RD_KAFKA_RESP_ERR_NO_ERROR);
  }
  auto event = ask(what, [&](const rd_kafka_AdminOptions_t* options, rd_kafka_queue_t* queue) {
    rd_kafka_NewTopic_t* one = wanted.get();
    rd_kafka_CreateTopics(client_->get(), &one, 1, options, queue);
  });
  if (!event) return pass(event);
  std::size_t count = 0;
  const auto* const* results =
      rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event->get()), &count);
  CHECK(count == 1);
  const auto code = rd_kafka_topic_result_error(results[0]);
  if (code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) return false;
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return failure(code, what, rd_kafka_topic_result_error_string(results[0]));
  }
  return true;
}

Result<TopicSettings> TopicAdmin::settings(const std::string& topic) const {
  return keep_asking(patience_ - kBrokerPatience, [&] { return settings_once(topic, false); });
}

Result<TopicSettings> TopicAdmin::settings_once(const std::string& topic, bool are_own) const {
  const auto what = "settings of topic " + topic;
  const ConfigResource asked(rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str()));
  auto event = ask(what, [&](const rd_kafka_AdminOptions_t* options, rd_kafka_queue_t* queue) {
    rd_kafka_ConfigResource_t* one = asked.get();
    rd_kafka_DescribeConfigs(client_->get(), &one, 1, options, queue);
  });
  if (!event) return pass(event);
  std::size_t count = 0;
  const auto* const* results = rd_kafka_DescribeConfigs_result_resources(
      rd_kafka_event_DescribeConfigs_result(event->get()), &count);
  CHECK(count == 1);
  const auto code = rd_kafka_ConfigResource_error(results[0]);
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return failure(code, what, rd_kafka_ConfigResource_error_string(results[0]));
  }
  const auto* const* entries = rd_kafka_ConfigResource_configs(results[0], &count);
  TopicSettings found;
  for (std::size_t i = 0; i < count; ++i) {
    const bool is_own =
        rd_kafka_ConfigEntry_source(entries[i]) == RD_KAFKA_CONFIG_SOURCE_DYNAMIC_TOPIC_CONFIG;
    const char* value = rd_kafka_ConfigEntry_value(entries[i]);
    if (value && (is_own || !are_own)) found[rd_kafka_ConfigEntry_name(entries[i])] = value;
  }
  return found;
}

// All own settings at once: this request forgets those it does not name.
Result<void> TopicAdmin::replace_settings(const std::string& topic,
                                          const TopicSettings& own) const {
  const auto what = "settings of topic " + topic;
  const ConfigResource wanted(rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str()));
  for (const auto& [name, value] : own) {
    const auto set = rd_kafka_ConfigResource_set_config(wanted.get(), name.c_str(), value.c_str());
    CHECK(set == RD_KAFKA_RESP_ERR_NO_ERROR);
  }
  auto event = ask(what, [&](const rd_kafka_AdminOptions_t* options, rd_kafka_queue_t* queue) {
    rd_kafka_ConfigResource_t* one = wanted.get();
    rd_kafka_AlterConfigs(client_->get(), &one, 1, options, queue);
  });
  if (!event) return pass(event);
  std::size_t count = 0;
  const auto* const* results = rd_kafka_AlterConfigs_result_resources(
      rd_kafka_event_AlterConfigs_result(event->get()), &count);
  CHECK(count == 1);
  const auto code = rd_kafka_ConfigResource_error(results[0]);
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return failure(code, what, rd_kafka_ConfigResource_error_string(results[0]));
  }
  return {};
}

Result<std::vector<KafkaClient::Offsets>> TopicAdmin::offsets(const std::string& topic,
                                                              int partitions) const {
  std::vector<KafkaClient::Offsets> all;
  for (int i = 0; i < partitions; ++i) {
    auto found = keep_asking(patience_ - kBrokerPatience,
                             [&] { return client_->offsets(topic, i, kBrokerPatience); });
    if (!found) {
      return fail(found.error().kind, "brokers {}: {}", kafka_.brokers, found.error().message);
    }
    all.push_back(*found);
  }
  return all;
}

Result<void> TopicAdmin::empty_compacted(const std::string& topic, int partitions,
                                         Offset kept) const {
  const auto found =
      keep_asking(patience_ - kBrokerPatience, [&] { return settings_once(topic, true); });
  if (!found) return pass(found);
  TopicSettings own = *found;
  const auto set_policy = [&](const char* policy) {
    own[kPolicy] = policy;
    return keep_asking(patience_ - kBrokerPatience, [&] { return replace_settings(topic, own); });
  };
  if (auto allowed = set_policy("compact,delete"); !allowed) return allowed;
  auto deleted = keep_asking(patience_ - kBrokerPatience,
                             [&] { return delete_records_once(topic, partitions, kept); });
  auto restored = set_policy("compact");
  return deleted ? restored : deleted;
}

Result<void> TopicAdmin::delete_records_once(const std::string& topic, int partitions,
                                             Offset kept) const {
  const auto what = "records of topic " + topic;
  const KafkaList list = list_of(topic, partitions);
  for (int i = 0; i < partitions; ++i) list->elems[i].offset = i == 0 ? kept : RD_KAFKA_OFFSET_END;
  const KafkaHandle<rd_kafka_DeleteRecords_t, rd_kafka_DeleteRecords_destroy> wanted(
      rd_kafka_DeleteRecords_new(list.get()));
  auto event = ask(what, [&](const rd_kafka_AdminOptions_t* options, rd_kafka_queue_t* queue) {
    rd_kafka_DeleteRecords_t* one = wanted.get();
    rd_kafka_DeleteRecords(client_->get(), &one, 1, options, queue);
  });
  if (!event) return pass(event);
  const auto* results =
      rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(event->get()));
  for (int i = 0; i < results->cnt; ++i) {
    const auto& one = results->elems[i];
    if (one.err == RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    auto refused = failure(one.err, fmt::format("{}, partition {}", what, one.partition));
    // The brokers are still learning of the new one.
    if (one.err == RD_KAFKA_RESP_ERR_POLICY_VIOLATION)
      refused.value().kind = ErrorKind::retry_later;
    return refused;
  }
  return {};
}

Result<std::vector<std::string>> TopicAdmin::groups() const {
  return keep_asking(patience_ - kBrokerPatience, [&]() -> Result<std::vector<std::string>> {
    constexpr std::string_view kWhat = "the list of groups";
    auto event = ask(kWhat, [&](const rd_kafka_AdminOptions_t* options, rd_kafka_queue_t* queue) {
      rd_kafka_ListConsumerGroups(client_->get(), options, queue);
    });
    if (!event) return pass(event);
    const auto* result = rd_kafka_event_ListConsumerGroups_result(event->get());
    std::size_t count = 0;
    const auto* const* errors = rd_kafka_ListConsumerGroups_result_errors(result, &count);
    if (count > 0) return failure(rd_kafka_error_code(errors[0]), kWhat);
    const auto* const* groups = rd_kafka_ListConsumerGroups_result_valid(result, &count);
    std::vector<std::string> all;
    for (std::size_t i = 0; i < count; ++i) {
      all.emplace_back(rd_kafka_ConsumerGroupListing_group_id(groups[i]));
    }
    std::sort(all.begin(), all.end());
    return all;
  });
}

Result<std::vector<TopicAdmin::Member>> TopicAdmin::members(const std::string& group) const {
  return keep_asking(patience_ - kBrokerPatience, [&]() -> Result<std::vector<Member>> {
    const auto what = "group " + group;
    auto event = ask(what, [&](const rd_kafka_AdminOptions_t* options, rd_kafka_queue_t* queue) {
      const char* name = group.c_str();
      rd_kafka_DescribeConsumerGroups(client_->get(), &name, 1, options, queue);
    });
    if (!event) return pass(event);
    std::size_t count = 0;
    const auto* const* groups = rd_kafka_DescribeConsumerGroups_result_groups(
        rd_kafka_event_DescribeConsumerGroups_result(event->get()), &count);
    CHECK(count == 1);
    const auto* error = rd_kafka_ConsumerGroupDescription_error(groups[0]);
    const auto code = error ? rd_kafka_error_code(error) : RD_KAFKA_RESP_ERR_NO_ERROR;
    std::vector<Member> all;
    if (code == RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND) return all;
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return failure(code, what);
    count = rd_kafka_ConsumerGroupDescription_member_count(groups[0]);
    for (std::size_t i = 0; i < count; ++i) {
      const auto* member = rd_kafka_ConsumerGroupDescription_member(groups[0], i);
      const char* instance = rd_kafka_MemberDescription_group_instance_id(member);
      all.push_back({fmt::format("{} at {}",
                                 instance ? instance : rd_kafka_MemberDescription_client_id(member),
                                 rd_kafka_MemberDescription_host(member)),
                     instance ? instance : ""});
    }
    return all;
  });
}

// As a consumer asks: the request of the admin API ends the process when the group's coordinator is
// not there yet (librdkafka 2.0.2).
Result<std::vector<std::optional<Offset>>> TopicAdmin::committed(const std::string& group,
                                                                 const std::string& topic,
                                                                 int partitions) const {
  const auto what = fmt::format("offsets of group {} in topic {}", group, topic);
  const auto consumer = KafkaClient::make(
      RD_KAFKA_CONSUMER, kafka_, {{"group.id", group}, {"isolation.level", "read_uncommitted"}});
  if (!consumer) return pass(consumer);
  return keep_asking(
      patience_ - kBrokerPatience, [&]() -> Result<std::vector<std::optional<Offset>>> {
        const KafkaList list = list_of(topic, partitions);
        const auto code = rd_kafka_committed((*consumer)->get(), list.get(),
                                             static_cast<int>(kBrokerPatience.count()));
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return failure(code, what);
        std::vector<std::optional<Offset>> found(static_cast<std::size_t>(partitions));
        for (std::size_t i = 0; i < found.size(); ++i) {
          const auto& one = list->elems[i];
          const bool is_known = one.err == RD_KAFKA_RESP_ERR_NO_ERROR;
          if (!is_known && !is_missing(one.err)) return failure(one.err, what);
          if (is_known && one.offset >= 0) found[i] = one.offset;
        }
        return found;
      });
}

Result<void> TopicAdmin::delete_committed(const std::string& group, const std::string& topic,
                                          std::span<const PartitionId> partitions) const {
  if (partitions.empty()) return {};
  return keep_asking(patience_ - kBrokerPatience, [&]() -> Result<void> {
    const auto what = fmt::format("offsets of group {} in topic {}", group, topic);
    const KafkaList list(rd_kafka_topic_partition_list_new(static_cast<int>(partitions.size())));
    for (const PartitionId partition : partitions) {
      rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), partition);
    }
    const KafkaHandle<rd_kafka_DeleteConsumerGroupOffsets_t,
                      rd_kafka_DeleteConsumerGroupOffsets_destroy>
        wanted(rd_kafka_DeleteConsumerGroupOffsets_new(group.c_str(), list.get()));
    auto event = ask(what, [&](const rd_kafka_AdminOptions_t* options, rd_kafka_queue_t* queue) {
      rd_kafka_DeleteConsumerGroupOffsets_t* one = wanted.get();
      rd_kafka_DeleteConsumerGroupOffsets(client_->get(), &one, 1, options, queue);
    });
    if (!event) return pass(event);
    std::size_t count = 0;
    const auto* const* groups = rd_kafka_DeleteConsumerGroupOffsets_result_groups(
        rd_kafka_event_DeleteConsumerGroupOffsets_result(event->get()), &count);
    CHECK(count == 1);
    const auto* error = rd_kafka_group_result_error(groups[0]);
    if (error) return failure(rd_kafka_error_code(error), what);
    const auto* results = rd_kafka_group_result_partitions(groups[0]);
    for (int i = 0; results && i < results->cnt; ++i) {
      const auto code = results->elems[i].err;
      if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return failure(code, what);
    }
    return {};
  });
}

}  // namespace dwell
