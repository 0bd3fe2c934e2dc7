#pragma once

#include <span>

#include "core/device_set.h"
#include "kafka/client/kafka_source.h"
#include "kafka/client/range_reader.h"
#include "kafka/flow/marker.h"
#include "ports/partition.h"

namespace dwell {

// Brings partitions back to their committed offset: the states of the last checkpoint from the
// state topic, then the input from the marker on, folded in silence.
class StateTopic {
 public:
  // `name` is the state topic; its partitions are those of the source's topic.
  // Errors: retry_later.
  static Result<std::unique_ptr<StateTopic>> open(const KafkaOptions& kafka,
                                                  const KafkaSource& source, std::string name);

  // What the last checkpoint of a restored partition lacks.
  struct Lack {
    DeviceSet devices;          // changed since
    std::uint64_t records = 0;  // of the input, folded since
    bool has_marker = false;    // one under the rule of now
  };

  // The folds are empty. Errors: retry_later, lost_ownership, fatal (going on from what there is
  // would be wrong; says how to go on).
  Result<std::vector<Lack>> restore(std::span<Partition> partitions);

  const std::string& cluster() const { return cluster_; }

 private:
  struct Restoring;
  static Restoring& restoring(std::span<Restoring> all, PartitionId partition);

  StateTopic(const KafkaOptions& kafka, const KafkaSource& source, std::string name,
             std::string cluster);

  Result<std::vector<Lack>> restore_all(std::span<Restoring> all);
  Result<void> find_ranges(std::span<Restoring> all);
  Result<void> read_states(std::span<Restoring> all);
  Result<void> read_state(Restoring& one, const rd_kafka_message_t& message);
  Result<void> check(const Restoring& one) const;
  Result<void> fold_input(std::span<Restoring> all);
  Result<void> take_over(Restoring& one);

  KafkaOptions kafka_;
  const KafkaSource& source_;
  std::string name_;
  std::string cluster_;
  std::unique_ptr<RangeReader> reader_;  // while partitions are restored: it never rests
};

}  // namespace dwell
