#pragma once

#include <functional>
#include <map>

#include "core/cleaned_value.h"
#include "kafka/client/kafka_source.h"
#include "kafka/topics/rejected_producer.h"
#include "ports/store_slices.h"
#include "ports/traced_record.h"
#include "telemetry/tracer.h"

namespace dwell {

// Makes changes of rows of the records of the cleaned topic, and knows how far each partition is
// read. A record that is none goes to the rejected topic. Not thread-safe.
class CleanedReader {
 public:
  // Borrows `source`, whose batches are decoded and which tells ends. Errors: those of KafkaClient.
  static Result<std::unique_ptr<CleanedReader>> open(const KafkaOptions& kafka, KafkaSource& source,
                                                     const std::string& rejected_topic,
                                                     const Tracer& tracer = {});

  // Where a partition begins, for a store that has nothing of it. Errors: retry_later, not_found.
  Result<StorePosition> start(PartitionId partition) const;
  // Goes to `position`, if the partition is still the one it belongs to: same cluster, and the last
  // record as it was, where the topic still has it. Errors: retry_later, fatal (it is another, or
  // records in between are gone; says how to go on).
  Result<void> seek(const StorePosition& position);

  // Decodes the source's last batch. Records that are no change have reached the rejected topic
  // before it returns. Errors: retry_later, fatal (the rejected topic takes none).
  Result<void> decode(const Batch& batch);
  // What was decoded; valid until the next decode() or poll of the source.
  std::span<const RowSlice> slices() const { return slices_; }
  // The records of them that belong to a trace; taken over by the caller.
  std::vector<TracedRecord> take_traced() { return std::exchange(traced_, {}); }

  // Commits the slices one by one, dividing those that `commit` refuses (fatal) until the records
  // it refuses are found; these go to the rejected topic. Gives how many. Each record is committed
  // once, in order; a refused one costs as many tries as its slice can be halved. Errors: those of
  // `commit` but fatal, and those of decode().
  using Commit = std::function<Result<void>(const RowSlice& slice)>;
  Result<std::uint64_t> commit_apart(const Commit& commit);

  std::string_view rejected_topic() const { return rejects_->topic(); }

 private:
  CleanedReader(const KafkaOptions& kafka, KafkaSource& source,
                std::unique_ptr<RejectedProducer> rejects, std::string cluster,
                const Tracer& tracer);

  Result<void> check_last(const StorePosition& position, const KafkaClient::Offsets& offsets);
  Result<void> decode_slice(const Slice& slice);
  std::optional<TraceContext> trace(const rd_kafka_message_t& message, std::string_view outcome);
  struct Records;
  RowSlice slice_of(const Records& records) const;
  Result<std::uint64_t> commit_records(const Records& records, const Commit& commit);

  KafkaOptions kafka_;
  KafkaSource& source_;
  std::unique_ptr<RejectedProducer> rejects_;
  std::string cluster_;
  const Tracer tracer_;
  CleanedDecoder decoder_;
  std::map<PartitionId, StorePosition> positions_;
  std::map<PartitionId, std::vector<RowChange>> changes_;
  std::map<PartitionId, std::vector<std::size_t>> places_;  // of the changes among the records
  std::map<PartitionId, std::size_t> counts_;               // of records
  std::vector<RowSlice> slices_;
  std::vector<TracedRecord> traced_;
};

}  // namespace dwell
