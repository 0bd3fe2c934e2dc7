#include "kafka/flow/outcome_reader.h"

#include "kafka/flow/marker.h"
#include "kafka/topics/topic_facts.h"

namespace dwell {

Result<OutcomeReader> OutcomeReader::open(KafkaSource& source, bool from_start,
                                          OnForeign on_foreign) {
  auto cluster = source.client().cluster_id(kBrokerPatience);
  if (!cluster) return pass(cluster);
  return OutcomeReader(source, std::move(*cluster), from_start, std::move(on_foreign));
}

Result<StorePosition> OutcomeReader::start(PartitionId partition) const {
  const std::string& topic = source_.options().topic;
  const auto offsets = source_.client().offsets(topic, partition, kBrokerPatience);
  if (!offsets) return pass(offsets);
  return StorePosition{partition, cluster_, topic, offsets->low};
}

Result<void> OutcomeReader::seek(StorePosition position) {
  const PartitionId partition = position.partition;
  const std::string& topic = source_.options().topic;
  const auto offsets = source_.client().offsets(topic, partition, kBrokerPatience);
  if (!offsets) return pass(offsets);
  const bool fits = !from_start_ && position.cluster == cluster_ && position.next >= offsets->low &&
                    position.next <= offsets->high;
  if (!fits) position = {partition, cluster_, topic, offsets->low};
  auto sought = source_.seek(partition, {{{input_name(topic, partition), position.next, ""}}});
  if (sought) positions_[partition] = std::move(position);
  return sought;
}

std::span<const DeviceSlice> OutcomeReader::decode(const Batch& batch) {
  slices_.clear();
  for (const Slice& slice : batch.slices) {
    auto& devices = devices_[slice.partition];
    devices.clear();
    for (const Record& record : slice.records) {
      if (record.key == kMarkerKey || record.key == kFactsKey) continue;
      auto outcomes = decode_summary(record.bytes);
      if (outcomes) {
        devices.push_back({record.key, *outcomes});
      } else {
        on_foreign_(fmt::format("{} offset {}: {}; passed over",
                                input_name(source_.options().topic, slice.partition), record.offset,
                                outcomes.error().message));
      }
    }
    StorePosition& position = positions_.at(slice.partition);
    position.next = slice.positions[0].next;
    slices_.push_back({devices, position});
  }
  return slices_;
}

}  // namespace dwell
