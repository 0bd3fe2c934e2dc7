#pragma once

#include <map>
#include <optional>
#include <span>

#include "core/record.h"
#include "kafka/client/client.h"

namespace dwell {

// Values of topic settings by their names, such as cleanup.policy.
using TopicSettings = std::map<std::string, std::string>;

struct NewTopic {
  std::string name;
  int partitions = 1;
  int replication = 1;
  TopicSettings settings;
};

// Makes, describes and empties topics, and looks after the offsets of groups.
//
// Each call tries again for `patience` at most. Errors of all of them name the brokers: retry_later
// (no answer in that time), not_found, fatal (refused; says why). Not thread-safe.
class TopicAdmin {
 public:
  // Errors: invalid (a setting of the client is wrong).
  static Result<TopicAdmin> open(const KafkaOptions& kafka,
                                 std::chrono::milliseconds patience = std::chrono::seconds(10));

  struct Layout {
    int partitions;
    int replication;
  };
  // None: there is no such topic. A broker that would make it is told not to.
  Result<std::optional<Layout>> layout(const std::string& topic) const;
  // Returns when every broker asked later knows the topic. False: it was there already.
  Result<bool> create(const NewTopic& topic) const;

  // Those in effect, whoever set them.
  Result<TopicSettings> settings(const std::string& topic) const;
  // All partitions, in order; the end is behind open transactions.
  Result<std::vector<KafkaClient::Offsets>> offsets(const std::string& topic, int partitions) const;
  // Deletes all records there are but those of partition 0 from `kept` on. Brokers refuse that for
  // compacted topics, so that its cleanup.policy is `compact,delete` meanwhile, and `compact`
  // afterwards.
  Result<void> empty_compacted(const std::string& topic, int partitions, Offset kept) const;

  // The names of all groups that the brokers know, sorted.
  Result<std::vector<std::string>> groups() const;
  // Client id and host of each member, the dead ones not yet given up included.
  struct Member {
    std::string name;      // and its host, for messages
    std::string instance;  // its group.instance.id; empty: none
  };
  Result<std::vector<Member>> members(const std::string& group) const;
  // The group's next offset in each partition, those in open transactions not included.
  Result<std::vector<std::optional<Offset>>> committed(const std::string& group,
                                                       const std::string& topic,
                                                       int partitions) const;
  // Refused by the brokers while the group has members that read the topic.
  Result<void> delete_committed(const std::string& group, const std::string& topic,
                                std::span<const PartitionId> partitions) const;

 private:
  TopicAdmin(std::unique_ptr<KafkaClient> client, KafkaOptions kafka,
             std::chrono::milliseconds patience)
      : client_(std::move(client)), kafka_(std::move(kafka)), patience_(patience) {}

  Failure failure(rd_kafka_resp_err_t code, std::string_view what,
                  const char* reason = nullptr) const;
  template <typename Request>
  Result<KafkaEvent> ask(std::string_view what, Request request) const;

  Result<bool> create_once(const NewTopic& topic) const;
  // What was set for this topic alone, or all that is in effect.
  Result<TopicSettings> settings_once(const std::string& topic, bool are_own) const;
  Result<void> replace_settings(const std::string& topic, const TopicSettings& own) const;
  Result<void> delete_records_once(const std::string& topic, int partitions, Offset kept) const;

  std::unique_ptr<KafkaClient> client_;
  KafkaOptions kafka_;
  std::chrono::milliseconds patience_;
};

}  // namespace dwell
