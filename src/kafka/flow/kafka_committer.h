#pragma once

#include <map>
#include <optional>

#include "core/reject_reason.h"
#include "kafka/client/transactions.h"
#include "kafka/flow/checkpoints.h"
#include "kafka/flow/state_topic.h"
#include "ports/clock.h"
#include "ports/committer.h"

namespace dwell {

// Commits units to Kafka: cleaned and rejected records, the input's offsets, and when it is due a
// checkpoint of states, in one transaction. A record goes to the partition its input came from.
//
// Errors of commit(): retry_later (aborted, try again), lost_ownership (fenced: somebody else has
// the partitions), fatal. Not thread-safe.
class KafkaCommitter final : public Committer {
 public:
  // Ends what an earlier process of the same `member` left open. Borrows source and clock.
  // Errors: invalid, retry_later, lost_ownership.
  static Result<std::unique_ptr<KafkaCommitter>> open(const KafkaOptions& kafka,
                                                      const KafkaCommitterOptions& options,
                                                      const KafkaSource& source, Clock& clock);

  Result<void> restore(std::span<Partition> partitions) override;
  Result<void> commit(std::span<const Partition> partitions) override;
  Result<void> release(std::span<const Partition> partitions) override;
  std::span<const TracedRecord> traced() const override { return traced_; }
  CommitCounts counts() const override { return counts_; }

 private:
  KafkaCommitter(const KafkaCommitterOptions& options, const KafkaSource& source, Clock& clock,
                 KafkaTransactions transactions, std::unique_ptr<StateTopic> states)
      : options_(options),
        source_(source),
        clock_(clock),
        transactions_(std::move(transactions)),
        states_(std::move(states)) {}

  Result<void> commit(std::span<const Partition> partitions,
                      std::span<const PartitionId> checkpoints);
  void trace(const Partition& partition);
  const TracedRecord* traced_at(std::uint32_t record) const;
  void add_trace(const Partition& partition, std::uint32_t record, rd_kafka_headers_t* headers);
  Result<void> write(const Partition& partition);
  Result<void> write_rejected(const Partition& partition, std::uint32_t record);
  Result<void> write_checkpoint(const Partition& partition);

  KafkaCommitterOptions options_;
  const KafkaSource& source_;
  Clock& clock_;
  KafkaTransactions transactions_;
  std::unique_ptr<StateTopic> states_;
  std::map<PartitionId, Unsaved> unsaved_;

  CommitCounts counts_;               // of the last commit
  std::vector<TracedRecord> traced_;  // of it, too
  std::size_t traced_before_ = 0;     // how many of them are of partitions written before

  std::optional<RejectReasons> reasons_;  // under the rule of the partitions

  std::string value_;          // scratch
  std::string source_header_;  // scratch
};

}  // namespace dwell
