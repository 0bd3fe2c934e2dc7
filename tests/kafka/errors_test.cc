// What becomes of errors that brokers give, on librdkafka's mock cluster: each one asks for exactly
// one reaction of the pipeline, and what was refused is tried again without a trace.
#include <gmock/gmock.h>

#include "tests/kafka/kafka_process.h"
// Behind rdkafka.h, as it wants it.
#include <librdkafka/rdkafka_mock.h>

// librdkafka 2.0.2 sometimes forgets an answer about a coordinator that comes while its client
// ends.
extern "C" const char* __lsan_default_suppressions() {
  return "leak:librdkafka.so";
}

namespace dwell {
namespace {

using ::testing::HasSubstr;

// Numbers of requests, from the Kafka protocol guide.
enum ApiKey : std::int16_t {
  kProduce = 0,
  kFetch = 1,
  kMetadata = 3,
  kOffsetFetch = 9,
  kJoinGroup = 11,
  kInitProducerId = 22,
  kAddPartitionsToTxn = 24,
  kAddOffsetsToTxn = 25,
  kEndTxn = 26,
  kTxnOffsetCommit = 28,
};

using MockCluster = KafkaHandle<rd_kafka_mock_cluster_t, rd_kafka_mock_cluster_destroy>;

class KafkaErrors : public ::testing::Test {
 protected:
  KafkaErrors() {
    auto client = KafkaClient::make(RD_KAFKA_PRODUCER, KafkaOptions(), {});
    EXPECT_TRUE(client);
    client_ = std::move(*client);
    cluster_.reset(rd_kafka_mock_cluster_new(client_->get(), 1));
    world_ = {rd_kafka_mock_cluster_bootstraps(cluster_.get()), "mock"};
    for (const auto& topic :
         {world_.input(), world_.cleaned(), world_.state(), world_.rejected()}) {
      rd_kafka_mock_topic_create(cluster_.get(), topic.c_str(), 1, 1);
    }
    world_.produce(script_, 0, 1);
  }

  void fail_next(ApiKey request, rd_kafka_resp_err_t error, std::size_t times = 1) {
    const std::vector<rd_kafka_resp_err_t> errors(times, error);
    rd_kafka_mock_push_request_errors_array(cluster_.get(), request, errors.size(), errors.data());
  }

  // A process that is given its partition and folded the record there is.
  std::unique_ptr<KafkaProcess> folded() {
    auto process =
        std::make_unique<KafkaProcess>(world_, small_rule(Order::arrival), CheckpointLimits());
    auto started = process->start();
    EXPECT_TRUE(started) << started.error().message;
    EXPECT_TRUE(process->fold_to(1));
    return process;
  }

  std::unique_ptr<KafkaClient> client_;
  MockCluster cluster_;
  KafkaWorld world_;
  const Script script_ = mixed_script();
};

TEST_F(KafkaErrors, WithoutErrorsTheMockTakesACommit) {
  const auto process = folded();
  const auto committed = process->commit();
  ASSERT_TRUE(committed) << committed.error().message;
  EXPECT_EQ(world_.count(world_.cleaned()), 1u);
}

struct Passing {
  const char* name;
  ApiKey request;
  rd_kafka_resp_err_t error;
  friend std::ostream& operator<<(std::ostream& out, const Passing& one) { return out << one.name; }
};

class KafkaPassingErrors : public KafkaErrors, public ::testing::WithParamInterface<Passing> {};

TEST_P(KafkaPassingErrors, AreTriedAgainWithoutATrace) {
  const auto process = folded();
  fail_next(GetParam().request, GetParam().error, 3);
  const auto committed = process->commit();
  ASSERT_TRUE(committed) << committed.error().message;
  EXPECT_EQ(world_.count(world_.cleaned()), 1u);
}

INSTANTIATE_TEST_SUITE_P(
    Kafka, KafkaPassingErrors,
    ::testing::Values(
        Passing{"NotLeader", kProduce, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION},
        Passing{"ProduceTimedOut", kProduce, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT},
        Passing{"TooFewReplicas", kProduce, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS},
        Passing{"MarkersStillWritten", kAddPartitionsToTxn,
                RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS},
        Passing{"CoordinatorLoading", kAddOffsetsToTxn,
                RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS},
        Passing{"OffsetsCoordinatorMoved", kTxnOffsetCommit, RD_KAFKA_RESP_ERR_NOT_COORDINATOR},
        Passing{"EndWithoutCoordinator", kEndTxn, RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE},
        Passing{"CoordinatorMoved", kEndTxn, RD_KAFKA_RESP_ERR_NOT_COORDINATOR}),
    [](const auto& info) { return info.param.name; });

struct Lasting {
  const char* name;
  ApiKey request;
  rd_kafka_resp_err_t error;
  ErrorKind kind;
  friend std::ostream& operator<<(std::ostream& out, const Lasting& one) { return out << one.name; }
};

class KafkaLastingErrors : public KafkaErrors, public ::testing::WithParamInterface<Lasting> {};

TEST_P(KafkaLastingErrors, EndTheMembershipOrTheProcess) {
  const auto process = folded();
  fail_next(GetParam().request, GetParam().error);
  const auto committed = process->commit();
  ASSERT_FALSE(committed);
  EXPECT_EQ(committed.error().kind, GetParam().kind) << committed.error().message;
  EXPECT_THAT(committed.error().message, HasSubstr("mock-"));  // whose
}

INSTANTIATE_TEST_SUITE_P(
    Kafka, KafkaLastingErrors,
    ::testing::Values(Lasting{"FencedAtTheEnd", kEndTxn, RD_KAFKA_RESP_ERR_PRODUCER_FENCED,
                              ErrorKind::lost_ownership},
                      Lasting{"OldEpochAtTheEnd", kEndTxn, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH,
                              ErrorKind::lost_ownership},
                      Lasting{"OldEpochAtTheStart", kAddPartitionsToTxn,
                              RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, ErrorKind::lost_ownership},
                      Lasting{"OldGeneration", kTxnOffsetCommit,
                              RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION, ErrorKind::lost_ownership},
                      Lasting{"NoMember", kTxnOffsetCommit, RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID,
                              ErrorKind::lost_ownership},
                      Lasting{"JoinedAnew", kTxnOffsetCommit, RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID,
                              ErrorKind::lost_ownership},
                      Lasting{"NotAllowedToWrite", kAddPartitionsToTxn,
                              RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, ErrorKind::invalid},
                      Lasting{"GroupNotAllowed", kTxnOffsetCommit,
                              RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, ErrorKind::invalid}),
    [](const auto& info) { return info.param.name; });

TEST_F(KafkaErrors, AnAbortedCommitIsTriedAgainWithTheSameUnit) {
  const auto process = folded();
  fail_next(kProduce, RD_KAFKA_RESP_ERR_POLICY_VIOLATION);
  auto committed = process->commit();
  ASSERT_FALSE(committed);
  // The producer's next try may be the one that learns that its sequence has to begin anew.
  for (int i = 0; i < 3 && !committed; ++i) {
    EXPECT_EQ(committed.error().kind, ErrorKind::retry_later) << committed.error().message;
    committed = process->commit();
  }
  EXPECT_TRUE(committed) << committed.error().message;
}

// As behind a stall of the brokers that outlasts its session, without another process anywhere.
TEST_F(KafkaErrors, AMemberWhoseIdOthersHaveJoinsAnew) {
  fail_next(kJoinGroup, RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID);
  const auto source = KafkaSource::open(world_.options(), world_.source_options());
  ASSERT_TRUE(source);
  auto batch = (*source)->poll();
  for (int i = 0; batch && i < 100; ++i) batch = (*source)->poll();
  ASSERT_FALSE(batch);
  EXPECT_EQ(batch.error().kind, ErrorKind::lost_ownership) << batch.error().message;
  EXPECT_THAT(batch.error().message, HasSubstr("member mock-member"));
  EXPECT_THAT(batch.error().message, HasSubstr("another process has this instance.id"));
  // Whatever is asked of the client from now on.
  const PartitionId partition = 0;
  const auto committed = (*source)->committed({&partition, 1}, std::chrono::seconds(1));
  EXPECT_TRUE(committed || committed.error().kind != ErrorKind::fatal);
  EXPECT_NE(folded(), nullptr);
}

TEST_F(KafkaErrors, ATransactionTimeThatTheBrokersRefuseIsASettingToMend) {
  fail_next(kInitProducerId, RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT);
  KafkaProcess process(world_, small_rule(Order::arrival), CheckpointLimits());
  const auto started = process.start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().kind, ErrorKind::invalid) << started.error().message;
}

TEST_F(KafkaErrors, OffsetsThatAreNotStableYetAreWaitedFor) {
  fail_next(kOffsetFetch, RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT, 3);
  EXPECT_NE(folded(), nullptr);
}

TEST_F(KafkaErrors, BrokersThatAreGoneAreNotFoundBroken) {
  auto process = folded();
  ASSERT_TRUE(process->commit());
  world_.produce(script_, 1, 1);
  rd_kafka_mock_broker_set_down(cluster_.get(), 1);
  rd_kafka_mock_broker_set_up(cluster_.get(), 1);
  ASSERT_TRUE(process->fold_to(2));
  const auto committed = process->commit();
  EXPECT_TRUE(committed) << committed.error().message;
}

}  // namespace
}  // namespace dwell
