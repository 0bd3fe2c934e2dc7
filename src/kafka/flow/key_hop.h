#pragma once

#include <deque>
#include <map>
#include <memory>
#include <vector>

#include "core/decoder.h"
#include "kafka/client/transactions.h"
#include "kafka/flow/hop_order.h"
#include "ports/clock.h"
#include "ports/stage.h"

namespace dwell {

// Copies records, as they are, to the partition of a topic that their device id decides, exactly
// once: in front of the rule where an input is not partitioned by device. Key and partition are all
// that changes; a record without a usable device id keeps its key.
//
// What this member has read of its partitions goes in the order of HopOrder, so that a backlog
// does not reach the rule one partition after the other. Records that wait are held here, up to
// kMostHeld bytes; a partition that has its share of them waiting is not read on. The group's
// offset stays in front of them: whoever gets the partition next reads them again.
class KeyHop final : public Stage {
 public:
  static constexpr std::size_t kMostHeld = 64 << 20;
  // What the client reads ahead: of all partitions together, and of each one that is not read on.
  static constexpr std::size_t kReadAhead = 8 << 20;

  // Borrows the source, which hands records over whole and tells where partitions end, and is the
  // one that is run, and the clock. `transactions` has one topic; `rule` says where id and time of
  // an event stand; `before_restore` as of KafkaCommitterOptions. Errors: those of
  // KafkaTransactions::open(), not_found.
  static Result<std::unique_ptr<KeyHop>> open(const KafkaOptions& kafka,
                                              const KafkaTransactionOptions& transactions,
                                              const Rule& rule, KafkaSource& source, Clock& clock,
                                              std::function<Result<void>()> before_restore);

  // Errors: those of KafkaSource and KafkaTransactions::commit(); then open another, which goes on
  // where the last commit was.
  Result<Ready> restore(std::span<const PartitionId> partitions) override;
  Result<void> seek(Source& source, std::span<const PartitionId> partitions) override;
  Result<void> take(const Batch& batch) override;
  Result<Committed> commit() override;
  Result<void> give_up(std::span<const PartitionId> partitions, bool were_taken) override;

 private:
  using Headers = KafkaHandle<rd_kafka_headers_t, rd_kafka_headers_destroy>;

  // A record on its way. What it points to is the batch's, until it has a copy of its own.
  struct Held {
    std::string_view key;    // without data(): none
    std::string_view value;  // the same
    Offset offset;
    Timestamp received;
    const rd_kafka_message_t* message;  // none once it has a copy
    std::unique_ptr<char[]> text;
    Headers headers;

    void keep();
    Headers take_headers();
  };
  struct Input {  // a partition
    std::vector<Position> start;
    std::deque<Held> held;
    Timestamp last = kEarliest;  // the own time of the record read last
    bool is_waiting = false;     // not read on
  };

  KeyHop(KafkaTransactions transactions, const Rule& rule, KafkaSource& source, Clock& clock,
         std::function<Result<void>()> before_restore)
      : transactions_(std::move(transactions)),
        before_restore_(std::move(before_restore)),
        source_(source),
        clock_(clock),
        decoder_(rule),
        order_(kMostHeld) {}

  Result<void> check(PartitionId partition, Offset next) const;
  void hold(const Slice& slice, Timestamp now);
  Result<void> write();
  Result<void> copy(Held& held);
  void keep_the_rest();

  KafkaTransactions transactions_;
  std::function<Result<void>()> before_restore_;
  KafkaSource& source_;
  Clock& clock_;
  Decoder decoder_;
  HopOrder order_;
  std::map<PartitionId, Input> inputs_;
  std::vector<PartitionNext> offsets_;  // behind what was copied in the transaction
  std::uint64_t copied_ = 0;            // records, in it
  std::vector<PartitionNext> nexts_;    // of every partition, what is copied
};

}  // namespace dwell
