// The law of ports/committer.h on KafkaCommitter, with the brokers that DWELL_TEST_KAFKA names; run
// by test_committer.py, which starts them.
#include <array>
#include <cstdlib>
#include <gmock/gmock.h>
#include <random>
#include <thread>

#include "tests/kafka/kafka_process.h"

namespace dwell {
namespace {

using ::testing::HasSubstr;

constexpr std::size_t kBatch = 5;

void create_topics(const KafkaWorld& world) {
  const auto client = KafkaClient::make(RD_KAFKA_PRODUCER, world.options(), {});
  ASSERT_TRUE(client);
  using NewTopic = KafkaHandle<rd_kafka_NewTopic_t, rd_kafka_NewTopic_destroy>;
  std::array<char, 256> reason{};
  std::vector<NewTopic> topics;
  std::vector<rd_kafka_NewTopic_t*> list;
  for (const auto& name : {world.input(), world.cleaned(), world.state(), world.rejected()}) {
    topics.emplace_back(rd_kafka_NewTopic_new(name.c_str(), 1, 1, reason.data(), reason.size()));
    // The events of the script are of 1970.
    rd_kafka_NewTopic_set_config(topics.back().get(), "retention.ms", "-1");
    list.push_back(topics.back().get());
  }
  const KafkaQueue queue(rd_kafka_queue_new((*client)->get()));
  rd_kafka_CreateTopics((*client)->get(), list.data(), list.size(), nullptr, queue.get());
  const KafkaEvent event(rd_kafka_queue_poll(queue.get(), 30'000));
  ASSERT_TRUE(event);
  ASSERT_EQ(rd_kafka_event_error(event.get()), RD_KAFKA_RESP_ERR_NO_ERROR);
  // A topic that was just made is not known everywhere for a moment.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  for (const auto& name : {world.input(), world.cleaned(), world.state(), world.rejected()}) {
    while (!(*client)->offsets(name, 0, std::chrono::seconds(5))) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << name;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }
}

// A checkpoint with every commit, or with the first one alone.
enum class Checkpoints { often, rarely };

class KafkaCommitterContract : public ::testing::TestWithParam<std::tuple<Order, Checkpoints>> {
 protected:
  void SetUp() override {
    const char* brokers = std::getenv("DWELL_TEST_KAFKA");
    ASSERT_TRUE(brokers) << "DWELL_TEST_KAFKA names no brokers";
    world_ = {brokers, fmt::format("contract-{:016x}", std::random_device()())};
    create_topics(world_);
  }

  Rule rule() const { return small_rule(std::get<0>(GetParam())); }
  KafkaProcess process() const { return process(rule()); }
  KafkaProcess process(const Rule& rule) const {
    CheckpointLimits limits;
    if (std::get<1>(GetParam()) == Checkpoints::often) limits.records = 1;
    return {world_, rule, limits};
  }
  // What any process gives that starts now.
  Lines restored() const {
    KafkaProcess other = process();
    const auto started = other.start();
    return started ? other.lines() : Lines{started.error().message};
  }

  KafkaWorld world_;
  const Script script_ = mixed_script();
};

TEST_P(KafkaCommitterContract, AFreshStoreHoldsNothing) {
  EXPECT_EQ(restored(), lines_of(Fold(rule(), 1), {}));
}

TEST_P(KafkaCommitterContract, AfterEveryCommitAnyProcessRestoresItsState) {
  std::size_t next = 0;
  while (next < script_.size()) {
    KafkaProcess one = process();
    auto started = one.start();
    ASSERT_TRUE(started) << started.error().message;
    Lines after;
    // Two commits a process, so that both of its producers are met.
    for (int i = 0; i < 2 && next < script_.size(); ++i) {
      const std::size_t count = std::min(kBatch, script_.size() - next);
      world_.produce(script_, next, count);
      next += count;
      ASSERT_TRUE(one.fold_to(static_cast<Offset>(next)));
      auto committed = one.commit();
      ASSERT_TRUE(committed) << committed.error().message;
      after = one.lines();
    }
    EXPECT_EQ(restored(), after);
  }
}

TEST_P(KafkaCommitterContract, AnUncommittedBatchLeavesNothing) {
  Lines before;
  {
    KafkaProcess one = process();
    ASSERT_TRUE(one.start());
    world_.produce(script_, 0, kBatch);
    ASSERT_TRUE(one.fold_to(kBatch));
    ASSERT_TRUE(one.commit());
    world_.produce(script_, kBatch, kBatch);
    ASSERT_TRUE(one.fold_to(2 * kBatch));
    before = one.committed();
    EXPECT_NE(one.lines(), before);
  }
  EXPECT_EQ(restored(), before);
}

TEST_P(KafkaCommitterContract, AZombieIsFencedAndWritesNothing) {
  KafkaProcess zombie = process();
  ASSERT_TRUE(zombie.start());
  world_.produce(script_, 0, kBatch);
  ASSERT_TRUE(zombie.fold_to(kBatch));
  // Another process with the same place in the group, which is as far as the zombie is.
  KafkaProcess heir = process();
  ASSERT_TRUE(heir.start());
  ASSERT_TRUE(heir.fold_to(kBatch));
  ASSERT_TRUE(heir.commit());
  const Lines after = heir.lines();
  const std::size_t written = world_.count(world_.cleaned());

  const auto committed = zombie.commit();
  ASSERT_FALSE(committed);
  EXPECT_EQ(committed.error().kind, ErrorKind::lost_ownership) << committed.error().message;
  EXPECT_EQ(world_.count(world_.cleaned()), written);
  EXPECT_EQ(restored(), after);
}

TEST_P(KafkaCommitterContract, AnotherOrderIsRefused) {
  {
    KafkaProcess one = process();
    ASSERT_TRUE(one.start());
    world_.produce(script_, 0, kBatch);
    ASSERT_TRUE(one.fold_to(kBatch));
    ASSERT_TRUE(one.commit());
  }
  const bool is_arrival = rule().order == Order::arrival;
  KafkaProcess other = process(small_rule(is_arrival ? Order::event_time : Order::arrival));
  const auto started = other.start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().kind, ErrorKind::invalid);
  EXPECT_THAT(started.error().message, HasSubstr(std::string(name(rule().order))));
}

TEST_P(KafkaCommitterContract, RestoringAgainGivesWhatIsCommitted) {
  KafkaProcess one = process();
  ASSERT_TRUE(one.start());
  world_.produce(script_, 0, kBatch);
  ASSERT_TRUE(one.fold_to(kBatch));
  ASSERT_TRUE(one.commit());
  world_.produce(script_, kBatch, kBatch);
  ASSERT_TRUE(one.fold_to(2 * kBatch));
  const Lines before = one.committed();
  const Lines ahead = one.lines();
  ASSERT_TRUE(one.restore());
  EXPECT_EQ(one.lines(), before);
  ASSERT_TRUE(one.fold_to(2 * kBatch));
  ASSERT_TRUE(one.commit());
  EXPECT_EQ(one.lines(), ahead);
  EXPECT_EQ(restored(), ahead);
}

INSTANTIATE_TEST_SUITE_P(Kafka, KafkaCommitterContract,
                         ::testing::Combine(::testing::Values(Order::arrival, Order::event_time),
                                            ::testing::Values(Checkpoints::often,
                                                              Checkpoints::rarely)),
                         [](const auto& info) {
                           return fmt::format(
                               "{}_{}", name(std::get<0>(info.param)),
                               std::get<1>(info.param) == Checkpoints::often ? "often" : "rarely");
                         });

}  // namespace
}  // namespace dwell
