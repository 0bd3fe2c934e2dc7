// What no topic takes is refused for good, and before anything else of its request is sent.
#include <future>
#include <gmock/gmock.h>

#include "kafka/flow/kafka_intake.h"
// Behind rdkafka.h, as it wants it.
#include <librdkafka/rdkafka_mock.h>

namespace dwell {
namespace {

using ::testing::HasSubstr;
using MockCluster = KafkaHandle<rd_kafka_mock_cluster_t, rd_kafka_mock_cluster_destroy>;

constexpr const char* kInput = "events";
constexpr std::size_t kLongest = 10'000;
constexpr std::int16_t kProduceKey = 0;  // of the Kafka protocol guide

class KafkaIntakeTest : public ::testing::Test {
 protected:
  KafkaIntakeTest() {
    auto client = KafkaClient::make(RD_KAFKA_PRODUCER, KafkaOptions(), {});
    EXPECT_TRUE(client);
    client_ = std::move(*client);
    cluster_.reset(rd_kafka_mock_cluster_new(client_->get(), 1));
    rd_kafka_mock_topic_create(cluster_.get(), kInput, 1, 1);
  }

  SubmissionResult submit(const std::vector<std::size_t>& sizes, const KafkaSettings& extra = {}) {
    KafkaOptions kafka;
    kafka.brokers = rd_kafka_mock_cluster_bootstraps(cluster_.get());
    kafka.extra = extra;
    KafkaIntakeOptions options;
    options.topic = kInput;
    options.record_bytes = kLongest;
    auto intake = KafkaIntake::open(kafka, options);
    EXPECT_TRUE(intake);
    Submission submission;
    for (const std::size_t size : sizes) {
      submission.bytes.append(size, 'x');
      submission.ends.push_back(submission.bytes.size());
      submission.devices += 'd';
      submission.device_ends.push_back(submission.devices.size());
    }
    std::promise<SubmissionResult> answer;
    (*intake)->submit(std::move(submission),
                      [&](const SubmissionResult& result) { answer.set_value(result); });
    return answer.get_future().get();
  }

  // Records that the topic has.
  std::int64_t count() const {
    const auto offsets = client_of_cluster()->offsets(kInput, 0, std::chrono::seconds(10));
    EXPECT_TRUE(offsets);
    return offsets ? offsets->high : -1;
  }

 private:
  std::unique_ptr<KafkaClient> client_of_cluster() const {
    KafkaOptions kafka;
    kafka.brokers = rd_kafka_mock_cluster_bootstraps(cluster_.get());
    auto client = KafkaClient::make_reader(kafka, "reader");
    EXPECT_TRUE(client);
    return std::move(*client);
  }

 protected:
  std::unique_ptr<KafkaClient> client_;
  MockCluster cluster_;
};

TEST_F(KafkaIntakeTest, ARecordUpToTheLimitIsTaken) {
  EXPECT_TRUE(submit({1, kLongest}));
  EXPECT_EQ(count(), 2);
}

TEST_F(KafkaIntakeTest, ALongerOneIsRefusedByItsPlaceBeforeAnyIsSent) {
  const auto refused = submit({1, 2, kLongest + 1, 3});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::invalid);
  EXPECT_THAT(refused.error().message, HasSubstr("record 2 has 10001 bytes"));
  EXPECT_EQ(count(), 0);
}

TEST_F(KafkaIntakeTest, OneThatTheClientIsSetUpToRefuseIsRefusedForGood) {
  const auto refused = submit({9'000}, {{"message.max.bytes", "2000"}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::invalid);
  EXPECT_THAT(refused.error().message, HasSubstr("max.message.bytes"));
}

TEST_F(KafkaIntakeTest, OneThatTheTopicRefusesIsRefusedForGood) {
  const rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;
  rd_kafka_mock_push_request_errors_array(cluster_.get(), kProduceKey, 1, &error);
  const auto refused = submit({100});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::invalid);
  EXPECT_THAT(refused.error().message, HasSubstr("max.message.bytes"));
}

}  // namespace
}  // namespace dwell
