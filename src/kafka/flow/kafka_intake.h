#pragma once

#include <atomic>
#include <thread>

#include "kafka/client/client.h"
#include "ports/intake.h"

namespace dwell {

struct KafkaIntakeOptions {
  std::string topic;
  std::size_t record_bytes = 1 << 20;         // the longest record
  std::size_t queued_bytes = 64 << 20;        // on their way; more is refused
  std::size_t queued_records = 500'000;       // likewise
  std::chrono::milliseconds patience{5'000};  // for the brokers to have a record
};

// Sends records to a topic, keyed by their device, and answers with their places once all replicas
// that are in sync have them. A submission with a record that can never be there is answered
// invalid. Any thread.
class KafkaIntake final : public Intake {
 public:
  // Errors: invalid (a setting is wrong).
  static Result<std::unique_ptr<KafkaIntake>> open(const KafkaOptions& kafka,
                                                   const KafkaIntakeOptions& options);
  // What is on its way is answered with an error; it may get there all the same.
  ~KafkaIntake() override;

  void submit(Submission submission, std::function<void(SubmissionResult)> done) override;
  IntakeLoad load() const override { return {sent_records_, sent_bytes_}; }

 private:
  struct Sending;

  KafkaIntake(const KafkaIntakeOptions& options, std::unique_ptr<KafkaClient> client);

  Result<void> check_sizes(const Submission& submission) const;
  Failure too_large() const;
  Result<void> send(const Submission& submission, std::size_t index, Sending& sending);
  void watch(const std::stop_token& stop);
  void report(const rd_kafka_message_t& message);

  const KafkaIntakeOptions options_;
  std::unique_ptr<KafkaClient> client_;
  KafkaTopic topic_;
  std::atomic<std::size_t> sent_records_{0};  // that were not reported yet
  std::atomic<std::size_t> sent_bytes_{0};    // of them
  std::jthread reports_;
};

}  // namespace dwell
