#pragma once

#include <functional>
#include <map>

#include "core/cleaned_value.h"
#include "kafka/client/kafka_source.h"
#include "kafka/topics/rejected_producer.h"
#include "ports/row_store.h"

namespace dwell {

// What is new in the partitions of the cleaned topic that the group gives to this member. Those
// gained give nothing before seek().
struct ChangeBatch {
  std::span<const RowSlice> slices;
  std::span<const PartitionId> gained = {};
};

// Reads changes of rows from the cleaned topic. A record that is none goes to the rejected topic,
// before the batch behind it is handed out. Not thread-safe.
class CleanedSource {
 public:
  // Errors: those of KafkaSource.
  static Result<std::unique_ptr<CleanedSource>> open(const KafkaOptions& kafka,
                                                     KafkaSourceOptions options,
                                                     const std::string& rejected_topic);

  // The spans stay valid until the next poll() or seek(). Errors: those of KafkaSource::poll().
  Result<ChangeBatch> poll();

  // Commits the slices of the last poll() one by one, dividing those that `commit` refuses (fatal)
  // until the records it refuses are found; these go to the rejected topic. Gives how many. Each
  // record is committed once, in order; a refused one costs as many tries as its slice can be
  // halved. Errors: those of `commit` but fatal, and those of poll().
  using Commit = std::function<Result<void>(const RowSlice& slice)>;
  Result<std::uint64_t> commit_apart(const Commit& commit);

  // Where a partition begins, for a store that has nothing of it. Errors: retry_later, not_found.
  Result<StorePosition> start(PartitionId partition) const;

  // Goes to `position`, if the partition is still the one it belongs to: same cluster, and the last
  // record as it was, where the topic still has it. Errors: retry_later, fatal (it is another, or
  // records in between are gone; says how to go on).
  Result<void> seek(const StorePosition& position);

  bool has_joined() const { return source_->has_joined(); }
  // How many partitions this member reads now.
  std::size_t partition_count() const { return positions_.size(); }
  // Whether every partition is read to its end.
  bool is_at_end() const { return source_->is_at_end(); }

 private:
  CleanedSource(const KafkaOptions& kafka, std::unique_ptr<KafkaSource> source,
                std::unique_ptr<RejectedProducer> rejects, std::string cluster);

  Result<void> check_last(const StorePosition& position, const KafkaClient::Offsets& offsets);
  Result<void> decode(const Slice& slice);
  struct Records;
  RowSlice slice_of(const Records& records) const;
  Result<std::uint64_t> commit_records(const Records& records, const Commit& commit);

  KafkaOptions kafka_;
  std::unique_ptr<KafkaSource> source_;
  std::unique_ptr<RejectedProducer> rejects_;
  std::string cluster_;
  CleanedDecoder decoder_;
  std::map<PartitionId, StorePosition> positions_;
  std::map<PartitionId, std::vector<RowChange>> changes_;
  std::map<PartitionId, std::vector<std::size_t>> places_;  // of the changes among the records
  std::map<PartitionId, std::size_t> counts_;               // of records
  std::vector<RowSlice> slices_;
};

}  // namespace dwell
