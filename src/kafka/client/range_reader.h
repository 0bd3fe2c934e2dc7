#pragma once

#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/record.h"
#include "kafka/client/client.h"

namespace dwell {

inline constexpr Offset kEndOfLog = std::numeric_limits<Offset>::max();

struct OffsetRange {
  PartitionId partition;
  Offset start;
  Offset end;  // kEndOfLog: all that is there
};

// Reads parts of topics that are there already, as fast as brokers send them; only what is
// committed. It never rests: a reader is dropped once it has read. Not thread-safe.
class RangeReader {
 public:
  // `group` names it in the logs of brokers. Errors: invalid.
  static Result<std::unique_ptr<RangeReader>> open(const KafkaOptions& kafka,
                                                   const std::string& group);

  using Messages = std::vector<const rd_kafka_message_t*>;
  // Hands over some messages at a time; those of a partition in order. An error ends the reading.
  using Take = std::function<Result<void>(const Messages&)>;
  // Errors: those of `take`, retry_later (nothing came for 10 s), those of the client.
  Result<void> read(const std::string& topic, std::span<const OffsetRange> ranges,
                    const Take& take);

  const KafkaClient& client() const { return *client_; }

 private:
  explicit RangeReader(std::unique_ptr<KafkaClient> client);
  Offset high_offset(const std::string& topic, PartitionId partition) const;

  std::unique_ptr<KafkaClient> client_;
  KafkaQueue queue_;
};

}  // namespace dwell
