// TopicWatch on the brokers that DWELL_TEST_KAFKA names; run by test_committer.py, which starts
// them.
#include <array>
#include <cstdlib>
#include <gmock/gmock.h>
#include <random>
#include <thread>

#include "kafka/topics/topic_admin.h"
#include "kafka/topics/topic_watch.h"
#include "tests/kafka/kafka_process.h"

namespace dwell {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::chrono::seconds kPatience{30};

class WatchedTopics : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* brokers = std::getenv("DWELL_TEST_KAFKA");
    ASSERT_TRUE(brokers) << "DWELL_TEST_KAFKA names no brokers";
    world_ = {brokers, fmt::format("watched-{:016x}", std::random_device()())};
    watch_.emplace(world_.options());
  }

  // What was deleted under this name is given time to go.
  void make(const std::string& topic, int partitions = 1) const {
    const auto admin = TopicAdmin::open(world_.options());
    ASSERT_TRUE(admin);
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (std::chrono::steady_clock::now() < deadline) {
      const auto made = admin->create({topic, partitions, 1, {}});
      ASSERT_TRUE(made);
      if (*made && admin->offsets(topic, partitions)) return;
    }
    FAIL() << topic;
  }

  void remove(const std::string& topic) const {
    const auto client = KafkaClient::make(RD_KAFKA_PRODUCER, world_.options(), {});
    ASSERT_TRUE(client);
    using Going = KafkaHandle<rd_kafka_DeleteTopic_t, rd_kafka_DeleteTopic_destroy>;
    const Going going(rd_kafka_DeleteTopic_new(topic.c_str()));
    std::array<rd_kafka_DeleteTopic_t*, 1> list{going.get()};
    const KafkaQueue queue(rd_kafka_queue_new((*client)->get()));
    rd_kafka_DeleteTopics((*client)->get(), list.data(), list.size(), nullptr, queue.get());
    const KafkaEvent event(rd_kafka_queue_poll(queue.get(), 30'000));
    ASSERT_TRUE(event);
    ASSERT_EQ(rd_kafka_event_error(event.get()), RD_KAFKA_RESP_ERR_NO_ERROR);
  }

  void fill(std::size_t records) const {
    world_.produce(Script(records, event_record("d", EventType::enter, 1, 1)), 0, records);
  }

  // What one look tells of the input and `others`.
  std::vector<TopicChange> look(const std::vector<std::string>& others = {}) {
    std::vector<TopicWatch::Topic> topics{{world_.input()}};
    for (const auto& other : others) topics.push_back({other});
    const auto told = watch_->look(topics);
    EXPECT_TRUE(told);
    std::vector<TopicChange> changes;
    if (told) {
      for (const auto& one : *told) changes.push_back(one.change);
    }
    return changes;
  }

  KafkaWorld world_;
  std::optional<TopicWatch> watch_;
};

TEST_F(WatchedTopics, OneThatIsMadeAnewRightAfterALookSawItsRecordsIsToldAtTheSecondLookAfter) {
  make(world_.input());
  ASSERT_THAT(look(), IsEmpty());
  for (int round = 0; round < 3; ++round) {  // whichever look it is
    fill(3);
    ASSERT_THAT(look(), IsEmpty()) << round;
    remove(world_.input());
    make(world_.input());
    EXPECT_THAT(look(), IsEmpty()) << round;
    EXPECT_THAT(look(), ElementsAre(TopicChange::made_anew)) << round;
  }
}

TEST_F(WatchedTopics, ManyOnesAreAskedForTogetherAndKeptApart) {
  make(world_.input());
  make(world_.cleaned(), 3);
  make(world_.state(), 100);
  const std::vector<std::string> others{world_.cleaned(), world_.state(), world_.rejected()};
  ASSERT_THAT(look(others), ElementsAre(TopicChange::missing));
  fill(3);
  ASSERT_THAT(look(others), IsEmpty());
  remove(world_.cleaned());
  remove(world_.input());
  make(world_.input());
  EXPECT_THAT(look(others), ElementsAre(TopicChange::missing));
  EXPECT_THAT(look(others), ElementsAre(TopicChange::made_anew));
  EXPECT_EQ(watch_->partitions(world_.input()), 1);
  EXPECT_EQ(watch_->partitions(world_.cleaned()), 0);
  EXPECT_EQ(watch_->partitions(world_.state()), 100);
  EXPECT_THAT(look(others), IsEmpty());
}

}  // namespace
}  // namespace dwell
