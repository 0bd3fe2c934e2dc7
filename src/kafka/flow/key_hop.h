#pragma once

#include <map>
#include <memory>
#include <vector>

#include "core/decoder.h"
#include "kafka/client/transactions.h"
#include "ports/stage.h"

namespace dwell {

// Copies records, as they are, to the partition of a topic that their device id decides, exactly
// once: in front of the rule where an input is not partitioned by device. Key and partition are all
// that changes; a record without a usable device id keeps its key.
class KeyHop final : public Stage {
 public:
  // Borrows the source, which hands records over whole, and is the one that is run. `transactions`
  // has one topic; `rule` says where the id of a device stands. Errors: those of
  // KafkaTransactions::open(), not_found.
  static Result<std::unique_ptr<KeyHop>> open(const KafkaOptions& kafka,
                                              const KafkaTransactionOptions& transactions,
                                              const Rule& rule, KafkaSource& source);

  // Errors: those of KafkaSource and KafkaTransactions::commit(); then open another, which goes on
  // where the last commit was.
  Result<Ready> restore(std::span<const PartitionId> partitions) override;
  Result<void> seek(Source& source, std::span<const PartitionId> partitions) override;
  Result<void> take(const Batch& batch) override;
  Result<Committed> commit() override;

 private:
  KeyHop(KafkaTransactions transactions, const Rule& rule, KafkaSource& source)
      : transactions_(std::move(transactions)), source_(source), decoder_(id_rule(rule)) {}

  // The device id alone matters, so that times are not looked at.
  static Rule id_rule(Rule rule) {
    rule.clock_source = ClockSource::received;
    return rule;
  }

  Result<void> check(PartitionId partition, Offset next) const;
  Result<void> copy(const Record& record, const rd_kafka_message_t& message);

  KafkaTransactions transactions_;
  KafkaSource& source_;
  std::map<PartitionId, std::vector<Position>> starts_;
  std::vector<PartitionNext> offsets_;  // behind what was copied in the transaction
  Decoder decoder_;
};

}  // namespace dwell
