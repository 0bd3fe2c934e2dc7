// The topics that `dwell clean` needs, of clusters that are made up.
#include "kafka/topics/topic_plan.h"

#include <gmock/gmock.h>
#include <map>

namespace dwell {
namespace {

using ::testing::ElementsAre;

class TopicPlanTest : public testing::Test {
 protected:
  TopicPlanTest() {
    options_.names = {"in", "keyed", "cleaned", "state", "rejected"};
    options_.record_bytes = 1 << 20;
  }

  void have(const std::string& topic, int partitions, TopicSettings settings = {}) {
    FoundTopic found;
    found.layout.partitions = partitions;
    found.settings = std::move(settings);
    topics_[topic] = found;
  }

  TopicPlan plan(PartitionedBy partitioned_by, int new_partitions = 1) {
    options_.partitioned_by = partitioned_by;
    const auto made = TopicPlan::make(
        options_,
        [this](const std::string& topic) -> Result<std::optional<FoundTopic>> {
          const auto found = topics_.find(topic);
          if (found == topics_.end()) return std::optional<FoundTopic>();
          return std::optional<FoundTopic>(found->second);
        },
        new_partitions);
    EXPECT_TRUE(made);
    return *made;
  }

  // "role partitions" of each topic, in the order of the flow; `?` where any number will do.
  static std::vector<std::string> counts(const TopicPlan& plan) {
    std::vector<std::string> all;
    for (const auto& topic : plan.topics) {
      const auto& partitions = topic.wanted.partitions;
      all.push_back(topic.wanted.role + " " + (partitions ? std::to_string(*partitions) : "?"));
    }
    return all;
  }

  static std::string value(const TopicPlan& plan, std::string_view role, std::string_view name) {
    for (const WantedSetting& setting : plan.at(role).wanted.settings) {
      if (setting.name == name) return setting.value;
    }
    return "not wanted";
  }

  TopicPlanOptions options_;
  std::map<std::string, FoundTopic> topics_;
};

TEST_F(TopicPlanTest, AnInputThatIsNotThereGetsThePartitionsAskedFor) {
  const auto made = plan(PartitionedBy::device, 6);
  EXPECT_THAT(counts(made), ElementsAre("input 6", "cleaned 6", "state 6", "rejected ?"));
  EXPECT_EQ(made.read_topic, "in");
  EXPECT_EQ(made.partitions, 6);
  EXPECT_FALSE(made.at("input").found);
}

TEST_F(TopicPlanTest, AnInputThatIsThereDecides) {
  have("in", 3);
  EXPECT_THAT(counts(plan(PartitionedBy::device, 6)),
              ElementsAre("input 3", "cleaned 3", "state 3", "rejected ?"));
}

TEST_F(TopicPlanTest, AutoHasAHopWhereTheInputHasSeveralPartitions) {
  have("in", 1);
  EXPECT_EQ(plan(PartitionedBy::automatic).read_topic, "in");
  have("in", 2);
  const auto made = plan(PartitionedBy::automatic);
  EXPECT_EQ(made.read_topic, "keyed");
  EXPECT_THAT(counts(made),
              ElementsAre("input 2", "keyed 2", "cleaned 2", "state 2", "rejected ?"));
}

TEST_F(TopicPlanTest, NoneHasAHopAlways) {
  have("in", 1);
  EXPECT_EQ(plan(PartitionedBy::none).read_topic, "keyed");
}

// States belong to a partition: the topics that have them decide, and not the input.
TEST_F(TopicPlanTest, AKeyedTopicForAnInputThatHasGrownFitsTheCleanedTopic) {
  have("in", 8);
  have("cleaned", 2);
  EXPECT_THAT(counts(plan(PartitionedBy::none)),
              ElementsAre("input 8", "keyed 2", "cleaned 2", "state 2", "rejected ?"));
}

TEST_F(TopicPlanTest, AKeyedTopicThatIsThereDecides) {
  have("in", 8);
  have("keyed", 4);
  have("cleaned", 2);
  EXPECT_THAT(counts(plan(PartitionedBy::none)),
              ElementsAre("input 8", "keyed 4", "cleaned 4", "state 4", "rejected ?"));
}

TEST_F(TopicPlanTest, WhateverTheInputTookFitsTheKeyedTopic) {
  have("in", 2, {{"max.message.bytes", "5000000"}, {"message.timestamp.after.max.ms", "77"}});
  const auto made = plan(PartitionedBy::none);
  EXPECT_EQ(value(made, "keyed", "max.message.bytes"), "5065536");
  EXPECT_EQ(value(made, "keyed", "message.timestamp.after.max.ms"), "77");
  EXPECT_EQ(value(made, "keyed", "message.timestamp.before.max.ms"), "not wanted");
  EXPECT_EQ(value(made, "keyed", "message.timestamp.type"), "CreateTime");
}

TEST_F(TopicPlanTest, ARejectedRecordFitsWithItsHeaders) {
  options_.record_bytes = 3'000'000;
  EXPECT_EQ(value(plan(PartitionedBy::device), "rejected", "max.message.bytes"), "3065536");
}

TEST_F(TopicPlanTest, AnErrorOfTheClusterIsPassedOn) {
  const auto made = TopicPlan::make(
      options_,
      [](const std::string& topic) -> Result<std::optional<FoundTopic>> {
        if (topic == "state") return fail(ErrorKind::retry_later, "no answer");
        return std::optional<FoundTopic>();
      },
      1);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().kind, ErrorKind::retry_later);
}

TEST(WantedSetting, IsMetByItsTest) {
  using Test = WantedSetting::Test;
  const auto is_met = [](Test test, const char* wanted, const char* found) {
    const WantedSetting setting{"a", wanted, test, WantedSetting::Weight::needed, ""};
    return setting.is_met({{"a", found}});
  };
  EXPECT_TRUE(is_met(Test::equal, "delete", "delete"));
  EXPECT_FALSE(is_met(Test::equal, "delete", "compact,delete"));
  EXPECT_TRUE(is_met(Test::at_least, "1000", "1000"));
  EXPECT_FALSE(is_met(Test::at_least, "1000", "999"));
  EXPECT_TRUE(is_met(Test::at_most, "0.1", "0.05"));
  EXPECT_FALSE(is_met(Test::at_most, "0.1", "0.5"));
  const WantedSetting unknown{"new", "1", Test::equal, WantedSetting::Weight::needed, ""};
  EXPECT_TRUE(unknown.is_met({{"a", "2"}})) << "a broker that does not know it";
}

}  // namespace
}  // namespace dwell
