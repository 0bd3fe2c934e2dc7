#pragma once

#include <functional>
#include <map>
#include <vector>

#include "kafka/client/kafka_source.h"
#include "ports/store_slices.h"

namespace dwell {

// Makes outcomes of devices of the records of the state topic, and knows how far each partition is
// read. Not thread-safe.
class OutcomeReader {
 public:
  // Told of a record that is no state, which is passed over.
  using OnForeign = std::function<void(const std::string& what)>;

  // Borrows `source`, whose batches are decoded. `from_start`: whatever is stored, each partition
  // is read from its start. Errors: those of KafkaClient.
  static Result<OutcomeReader> open(KafkaSource& source, bool from_start, OnForeign on_foreign);

  // Where a partition begins, for a store that has nothing of it. Errors: retry_later, not_found.
  Result<StorePosition> start(PartitionId partition) const;
  // Goes to `position`, or to the start where the topic is another one: the last state of each
  // device is always there. Errors: retry_later, not_found.
  Result<void> seek(StorePosition position);

  // Decodes the source's last batch. The slices stay valid until the next decode() or poll.
  std::span<const DeviceSlice> decode(const Batch& batch);

 private:
  OutcomeReader(KafkaSource& source, std::string cluster, bool from_start, OnForeign on_foreign)
      : source_(source),
        cluster_(std::move(cluster)),
        from_start_(from_start),
        on_foreign_(std::move(on_foreign)) {}

  KafkaSource& source_;
  std::string cluster_;
  bool from_start_;
  OnForeign on_foreign_;
  std::map<PartitionId, StorePosition> positions_;
  std::map<PartitionId, std::vector<DeviceOutcomes>> devices_;
  std::vector<DeviceSlice> slices_;
};

}  // namespace dwell
