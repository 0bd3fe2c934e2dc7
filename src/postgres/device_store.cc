#include "postgres/device_store.h"

#include <algorithm>
#include <array>
#include <unordered_set>

#include "postgres/migrations.h"
#include "postgres/positions.h"

namespace dwell {
namespace {

constexpr std::size_t kTogether = 10'000;  // devices of one statement

// The columns of dwell_device behind device_id.
std::array<std::int64_t, 8> numbers_of(const OutcomeSummary& outcomes) {
  const auto number = [](std::uint64_t count) { return static_cast<std::int64_t>(count); };
  return {to_ms(outcomes.last_seen),
          number(outcomes.accepted),
          number(outcomes.suppressed.repeated_enter),
          number(outcomes.suppressed.repeated_exit),
          number(outcomes.suppressed.duplicate),
          number(outcomes.suppressed.initial_exit),
          number(outcomes.promoted),
          number(outcomes.retracted)};
}

constexpr const char* kPut =
    "INSERT INTO dwell_device AS d (device_id, last_seen, accepted, repeated_enter, repeated_exit, "
    "duplicate, initial_exit, promoted, retracted) "
    "SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], "
    "$6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[]) "
    "ON CONFLICT (device_id) DO UPDATE SET last_seen = excluded.last_seen, "
    "accepted = excluded.accepted, repeated_enter = excluded.repeated_enter, "
    "repeated_exit = excluded.repeated_exit, duplicate = excluded.duplicate, "
    "initial_exit = excluded.initial_exit, promoted = excluded.promoted, "
    "retracted = excluded.retracted";

}  // namespace

Result<std::unique_ptr<DeviceStore>> DeviceStore::open(std::unique_ptr<PgConnection> database) {
  if (auto checked = check_schema(*database); !checked) return pass(checked);
  return std::unique_ptr<DeviceStore>(new DeviceStore(std::move(database)));
}

Result<std::vector<StorePosition>> DeviceStore::positions(std::span<const StorePosition> starts) {
  std::vector<StorePosition> found;
  for (const StorePosition& start : starts) {
    const auto row = begin_position(*database_, "dwell_device_position", start);
    if (!row) return pass(row);
    next_[start.partition] = row->integer(0, 1);
    found.push_back(
        {start.partition, std::string(row->bytes(0, 0)), start.topic, row->integer(0, 1)});
  }
  return found;
}

Result<void> DeviceStore::commit(std::span<const DeviceSlice> slices) {
  refused_.clear();
  if (slices.empty()) return {};
  is_careful_ = false;
  auto written = write(slices);
  if (!written && written.error().kind == ErrorKind::fatal) {  // one of the devices
    (void)database_->execute("ROLLBACK");
    is_careful_ = true;
    written = write(slices);
  }
  if (!written) {
    (void)database_->execute("ROLLBACK");  // others may go on at once
    return written;
  }
  if (auto committed = database_->commit(); !committed) return committed;
  for (const DeviceSlice& slice : slices) next_[slice.position.partition] = slice.position.next;
  return {};
}

Result<void> DeviceStore::write(std::span<const DeviceSlice> slices) {
  auto begun = database_->execute("BEGIN");
  if (!begun) return pass(begun);
  std::vector<DeviceOutcomes> last;  // of each device, in the order of their ids
  std::unordered_set<std::string_view> known;
  for (const DeviceSlice& slice : slices) {
    if (auto moved = move(slice.position); !moved) return moved;
    for (std::size_t i = slice.devices.size(); i-- > 0;) {
      if (known.insert(slice.devices[i].device).second) last.push_back(slice.devices[i]);
    }
  }
  std::sort(last.begin(), last.end(),
            [](const auto& a, const auto& b) { return a.device < b.device; });
  for (std::size_t begin = 0; begin < last.size(); begin += kTogether) {
    const std::size_t count = std::min(kTogether, last.size() - begin);
    const std::span<const DeviceOutcomes> some(&last[begin], count);
    auto written = is_careful_ ? put_accepted(some) : put(some);
    if (!written) return written;
  }
  return {};
}

// If it is where this store left it.
Result<void> DeviceStore::move(const StorePosition& position) {
  auto moved = database_->run(
      "UPDATE dwell_device_position SET cluster = $3, next = $4 "
      "WHERE topic = $1 AND partition = $2 AND next = $5 RETURNING next",
      PgParameters()
          .text(position.topic)
          .integer(std::int64_t{position.partition})
          .text(position.cluster)
          .integer(position.next)
          .integer(next_.at(position.partition)));
  if (!moved) return pass(moved);
  if (moved->rows() == 1) return {};
  return fail(ErrorKind::lost_ownership, "database {}: another store has gone on with {}/{}",
              database_->name(), position.topic, position.partition);
}

// Halves what is refused until the devices are found.
Result<void> DeviceStore::put_accepted(std::span<const DeviceOutcomes> devices) {
  auto saved = database_->execute("SAVEPOINT devices");
  if (!saved) return pass(saved);
  const auto written = put(devices);
  auto left =
      database_->execute(written ? "RELEASE devices" : "ROLLBACK TO devices; RELEASE devices");
  if (written && left) return {};
  if (!written && written.error().kind != ErrorKind::fatal) return written;
  if (!left) return pass(left);
  if (devices.size() == 1) {
    refused_.push_back(written.error().message);
    return {};
  }
  const std::size_t half = devices.size() / 2;
  if (auto first = put_accepted(devices.first(half)); !first) return first;
  return put_accepted(devices.subspan(half));
}

Result<void> DeviceStore::put(std::span<const DeviceOutcomes> devices) {
  std::vector<std::string_view> ids;
  std::array<std::vector<std::int64_t>, 8> columns;
  for (const auto& [device, outcomes] : devices) {
    ids.push_back(device);
    const auto numbers = numbers_of(outcomes);
    for (std::size_t i = 0; i < columns.size(); ++i) columns[i].push_back(numbers[i]);
  }
  PgParameters parameters;
  parameters.texts(ids);
  for (const auto& column : columns) parameters.integers(column);
  auto written = database_->run(kPut, parameters);
  if (!written) return pass(written);
  return {};
}

}  // namespace dwell
