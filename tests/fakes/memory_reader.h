#pragma once

#include "ports/timeline_reader.h"
#include "tests/fakes/memory_store.h"

namespace dwell {

// A TimelineReader over a MemoryStore: the plainest answers there are, to compare others with.
class MemoryReader final : public TimelineReader {
 public:
  explicit MemoryReader(const MemoryStore& store) : store_(store) {}

  Result<std::vector<Row>> timeline(const TimelineQuery& query) override;
  Result<PresencePage> presence(const PresenceQuery& query) override;
  Result<std::optional<DeviceReport>> device(const std::string& id) override;
  Result<std::vector<RejectedRecord>> rejected(const RejectedQuery& query) override;
  Result<StoreTotals> totals() override;

 private:
  const MemoryStore& store_;
};

}  // namespace dwell
