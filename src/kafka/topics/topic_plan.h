#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "kafka/topics/topic_admin.h"
#include "kafka/topics/topic_names.h"

namespace dwell {

// What a setting of a topic should be.
struct WantedSetting {
  enum class Test { equal, at_least, at_most };
  // What another value is: wrong, worth a warning, or as good as any.
  enum class Weight { needed, advised, initial };

  std::string name;
  std::string value;  // that a new topic gets
  Test test;
  Weight weight;
  std::string reason;

  bool is_met(const TopicSettings& found) const;
};

struct WantedTopic {
  std::string role;
  std::string name;
  std::optional<int> partitions;  // none: any number, a new one gets 1
  std::vector<WantedSetting> settings;
};

// A topic as the brokers have it.
struct FoundTopic {
  TopicAdmin::Layout layout;
  TopicSettings settings;
};

// Whether records are copied to their device's partition before the rule reads them.
bool has_hop(PartitionedBy partitioned_by, int input_partitions);

// The topics of the settings, as `dwell clean` needs them, in the order of the flow.
struct TopicPlan {
  // Of a cluster as it is. An input that does not exist yet will have `new_partitions`. Where the
  // topic that the rule reads exists, its partition count decides; a keyed topic that does not gets
  // that of the cleaned topic, so that an input that has grown is copied to as many as there were.
  // Errors: those of the admin.
  static Result<TopicPlan> make(const TopicPlanOptions& options, const TopicAdmin& admin,
                                int new_partitions);
  // The same of topics as `look` finds them, none where there is none.
  using Look = std::function<Result<std::optional<FoundTopic>>(const std::string& topic)>;
  static Result<TopicPlan> make(const TopicPlanOptions& options, const Look& look,
                                int new_partitions);

  struct Topic {
    WantedTopic wanted;
    std::optional<FoundTopic> found;
  };
  std::vector<Topic> topics;
  bool has_hop;
  std::string read_topic;  // by the rule: input or keyed
  int partitions;          // of read_topic

  const Topic& at(std::string_view role) const;
};

}  // namespace dwell
