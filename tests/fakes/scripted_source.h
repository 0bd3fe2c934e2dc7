#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/event.h"
#include "ports/source.h"
#include "tests/fakes/fault_plan.h"

namespace dwell {

struct ScriptedRecord {
  std::string bytes;
  Timestamp now;
  std::uint64_t truncated_from = 0;
};

using Script = std::vector<ScriptedRecord>;

// One record: a device's event at `timestamp_ms`, received at `now_ms`.
ScriptedRecord event_record(std::string_view device, EventType type, std::int64_t timestamp_ms,
                            std::int64_t now_ms);

// A record that is not an event: received at `now_ms`.
ScriptedRecord raw_record(std::string bytes, std::int64_t now_ms);

// A Source that plays a script, which belongs to the caller. Its position counts the records, so
// the record at offset n is the n-th of the script. Batches take the sizes given, over and over. A
// poll can be told to fail.
class ScriptedSource final : public Source {
 public:
  ScriptedSource(const Script& script, std::vector<std::size_t> batch_sizes,
                 std::string name = "script");

  Result<Batch> poll() override;
  Result<void> seek(PartitionId partition, std::span<const Position> committed) override;

  FaultPlan& polls() { return polls_; }
  // The polls from the n-th on, `times` of them, find nothing new.
  void stall(std::size_t at, std::size_t times) {
    stalls_.set({at, ErrorKind::retry_later, times});
  }

 private:
  const Script& script_;
  std::vector<std::size_t> batch_sizes_;
  std::string name_;
  FaultPlan polls_;
  FaultPlan stalls_;
  std::size_t next_ = 0;
  std::size_t batches_ = 0;
  std::vector<Record> records_;
  std::vector<Position> positions_;
  Slice slice_;
};

// The records of `script` from `start` on, as a source would hand them over.
std::vector<Record> records_of(const Script& script, std::size_t start, std::size_t count);

}  // namespace dwell
