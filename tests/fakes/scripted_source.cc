#include "tests/fakes/scripted_source.h"

#include <algorithm>
#include <fmt/format.h>

#include "base/check.h"

namespace dwell {
namespace {

// Bytes that are no text, as a mark may be.
std::string mark_of(std::size_t next) {
  return fmt::format("mark {}", next) + std::string("\0\xff", 2);
}

}  // namespace

ScriptedRecord event_record(std::string_view device, EventType type, std::int64_t timestamp_ms,
                            std::int64_t now_ms) {
  return {fmt::format(R"({{"device_id":"{}","event_type":"{}","timestamp":{}}})", device,
                      wire_name(type), timestamp_ms),
          from_ms(now_ms)};
}

ScriptedRecord raw_record(std::string bytes, std::int64_t now_ms) {
  return {std::move(bytes), from_ms(now_ms)};
}

std::vector<Record> records_of(const Script& script, std::size_t start, std::size_t count) {
  std::vector<Record> records;
  for (std::size_t i = start; i < start + count; ++i) {
    records.push_back(
        {script[i].bytes, 0, static_cast<Offset>(i), script[i].now, script[i].truncated_from});
  }
  return records;
}

ScriptedSource::ScriptedSource(const Script& script, std::vector<std::size_t> batch_sizes,
                               std::string name)
    : script_(script), batch_sizes_(std::move(batch_sizes)), name_(std::move(name)) {
  CHECK(!batch_sizes_.empty());
}

Result<Batch> ScriptedSource::poll() {
  if (const auto fault = polls_.next()) return fail(fault->kind, "planned by the test");
  if (stalls_.next()) return Batch{};
  const std::size_t wanted = batch_sizes_[batches_++ % batch_sizes_.size()];
  const std::size_t count = std::min(wanted, script_.size() - next_);
  records_ = records_of(script_, next_, count);
  next_ += count;
  positions_ = {{name_, static_cast<Offset>(next_), mark_of(next_)}};
  const bool is_last = next_ == script_.size();
  slice_ = {0, records_, positions_};
  return Batch{{&slice_, 1}, is_last};
}

Result<void> ScriptedSource::seek(PartitionId /*partition*/, std::span<const Position> committed) {
  next_ = 0;
  for (const Position& position : committed) {
    if (position.source != name_) continue;
    if (position.mark != mark_of(static_cast<std::size_t>(position.next))) {
      return fail(ErrorKind::invalid, "{}: the position is of another input", name_);
    }
    next_ = static_cast<std::size_t>(position.next);
  }
  return {};
}

}  // namespace dwell
