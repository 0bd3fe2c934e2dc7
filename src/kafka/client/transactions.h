#pragma once

#include <array>
#include <optional>
#include <span>

#include "kafka/client/kafka_source.h"

namespace dwell {

struct KafkaTransactionOptions {
  std::string member;  // prefix of the transactional ids: the same at every start of this process
  std::chrono::milliseconds timeout{10'000};  // after which brokers end what a dead one left open
  std::size_t message_bytes = 1 << 20;        // the longest, with key and headers
  std::vector<std::string> topics;            // that are written to
};

// A message to be written.
struct KafkaOutput {
  std::size_t topic = 0;                          // index into the topics
  PartitionId partition = RD_KAFKA_PARTITION_UA;  // else by murmur2 of the key, as Java clients do
  std::string_view key = {};                      // without data(): none
  std::string_view value = {};                    // without data(): none
  rd_kafka_headers_t* headers = nullptr;          // taken over
  std::optional<Timestamp> time = {};             // empty: when the transaction began
};

// Where a group without members goes on in a topic.
struct KafkaPositions {
  std::string group;
  std::string topic;
  std::vector<PartitionNext> offsets;
};

// Transactions one after the other: messages and the group's offsets, together or not at all.
//
// Two transactional producers take turns, since a broker keeps the next transaction of one waiting
// while it writes the end of the one before. Not thread-safe.
class KafkaTransactions {
 public:
  // Ends what an earlier process of the same `member` left open. Errors: invalid, retry_later,
  // lost_ownership.
  static Result<KafkaTransactions> open(const KafkaOptions& kafka,
                                        const KafkaTransactionOptions& options);

  Result<void> begin();
  // Errors: what to hand to abort().
  Result<void> produce(const KafkaOutput& output);
  // Commits, with the offsets of the source's group. On an error it was aborted; errors:
  // retry_later (may be tried again from begin() on), lost_ownership (fenced, or nobody knows
  // whether it was committed: open anew and ask the group), fatal.
  Result<void> commit(const KafkaSource& source, std::span<const PartitionNext> offsets);
  // The same, with the offsets of several groups.
  Result<void> commit(std::span<const KafkaPositions> positions);
  // Nothing of the transaction will ever be seen; fails with its cause.
  Result<void> abort(const Error& cause);

 private:
  struct Producer {
    std::unique_ptr<KafkaClient> client;
    std::vector<KafkaTopic> topics;
  };

  struct GroupOffsets {
    KafkaGroup group;
    KafkaList offsets;
  };

  static Result<Producer> make_producer(const KafkaOptions& kafka,
                                        const KafkaTransactionOptions& options, int number);
  Producer& producer() { return producers_[turn_]; }
  Result<void> commit_with(std::span<const GroupOffsets> all);

  KafkaTransactionOptions options_;
  std::array<Producer, 2> producers_;
  std::size_t turn_ = 0;
  std::int64_t begun_ms_ = 0;  // of the transaction, since 1970
};

}  // namespace dwell
