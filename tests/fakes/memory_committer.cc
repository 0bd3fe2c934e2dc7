#include "tests/fakes/memory_committer.h"

#include <algorithm>
#include <iterator>

#include "base/check.h"

namespace dwell {
namespace {

constexpr std::uint64_t kRejectOverheadBytes = 128;

std::uint64_t cost_of(const RejectedRecord& record) {
  return record.bytes.size() + kRejectOverheadBytes;
}

void apply(MemoryStore& store, MemoryStore::Device& device, const Change& change) {
  auto& rows = device.rows;
  const auto same = std::find_if(rows.begin(), rows.end(), [&](const Row& row) {
    return row.timestamp == change.timestamp && row.type == change.type;
  });
  if (change.operation == Operation::retract) {
    if (same == rows.end()) {
      ++store.faults;
    } else {
      rows.erase(same);
    }
    return;
  }
  if (same != rows.end()) {
    ++store.absorbed;
    return;
  }
  const Row row{change.timestamp, change.rank, change.type, change.seq};
  rows.insert(std::upper_bound(rows.begin(), rows.end(), row, comes_before), row);
}

void keep_states(MemoryStore& store, const Unit& unit, const Fold& after) {
  store.devices.resize(after.device_count());
  for (const DeviceIndex index : unit.touched) {
    MemoryStore::Device& device = store.devices[index];
    device.id = after.device_id(index);
    device.state.clear();
    after.encode_state(index, device.state);
  }
}

// Whether the rows show what the event says.
bool is_known(const std::vector<Row>& rows, const LateEvent& event) {
  const Row* last = nullptr;
  for (const Row& row : rows) {
    if (row.timestamp > event.timestamp) break;
    if (row.timestamp == event.timestamp && row.type == event.type) return true;
    last = &row;
  }
  return last && last->type == event.type;
}

void keep_rejects(MemoryStore& store, const Unit& unit, const RejectBounds& bounds,
                  const std::vector<std::uint32_t>& known_late) {
  std::vector<std::uint32_t> kept;
  std::set_difference(unit.rejected.begin(), unit.rejected.end(), known_late.begin(),
                      known_late.end(), std::back_inserter(kept));
  if (kept.empty()) return;
  for (const std::uint32_t i : kept) {
    const Record& record = unit.records[i];
    store.rejected.push_back({++store.last_reject_id, std::string(name(unit.outcomes[i])),
                              unit.positions[record.source].source, record.offset, record.now,
                              std::string(record.bytes), record.truncated_from});
    store.reject_bytes += cost_of(store.rejected.back());
  }
  const Timestamp now = unit.records.back().now;
  std::size_t most_by_age = 2 * kept.size();
  while (!store.rejected.empty()) {
    const bool is_over = store.reject_bytes > bounds.max_bytes;
    const bool is_old = std::chrono::abs(now - store.rejected.front().received) > bounds.max_age;
    if (!is_over && !(is_old && most_by_age-- > 0)) return;
    store.reject_bytes -= cost_of(store.rejected.front());
    store.rejected.pop_front();
    ++store.rejects_dropped;
  }
}

std::vector<std::uint32_t> apply(MemoryStore& store, const Unit& unit, const Fold& after,
                                 const RejectBounds& bounds) {
  keep_states(store, unit, after);
  for (const CleanedRecord& cleaned : unit.changes) {
    apply(store, store.devices[cleaned.device], cleaned.change);
  }
  std::vector<std::uint32_t> known_late;
  for (const LateEvent& event : unit.too_late) {
    if (is_known(store.devices[event.device].rows, event)) known_late.push_back(event.record);
  }
  keep_rejects(store, unit, bounds, known_late);
  store.totals = unit.totals;
  store.known_late += known_late.size();
  store.late += unit.late;
  for (const Position& position : unit.positions) store.positions[position.source] = position;
  return known_late;
}

Failure planned(const Fault& fault) {
  return fail(fault.kind, "planned by the test");
}

}  // namespace

Result<std::unique_ptr<MemoryCommitter>> MemoryCommitter::open(MemoryStore& store, Order order,
                                                               const RejectBounds& bounds) {
  if (store.is_open) return fail(ErrorKind::retry_later, "the store is locked by this process");
  if (store.order.value_or(order) != order) {
    return fail(ErrorKind::invalid, "the store was made with order = {}", name(*store.order));
  }
  store.order = order;
  store.is_open = true;
  return std::unique_ptr<MemoryCommitter>(new MemoryCommitter(store, bounds));
}

Result<void> MemoryCommitter::restore(std::span<Partition> partitions) {
  CHECK(partitions.size() == 1);
  auto& [id, fold, positions, unit] = partitions[0];
  CHECK(fold.device_count() == 0 && positions.empty() && !unit);
  if (const auto fault = store_.restores.next()) return planned(*fault);
  for (const MemoryStore::Device& device : store_.devices) {
    if (auto loaded = fold.load_device(device.id, device.state); !loaded) return pass(loaded);
  }
  fold.load_totals(store_.totals);
  may_commit_ = true;
  for (const auto& [source, position] : store_.positions) positions.push_back(position);
  return {};
}

Result<void> MemoryCommitter::commit(std::span<const Partition> partitions) {
  CHECK(may_commit_ && partitions.size() == 1);
  const auto& [id, after, positions, unit] = partitions[0];
  known_late_.clear();
  if (!unit) return {};
  const auto fault = store_.commits.next();
  if (!fault || fault->happened) known_late_ = apply(store_, *unit, after, bounds_);
  if (!fault) return {};
  may_commit_ = fault->kind != ErrorKind::unknown_outcome;
  return planned(*fault);
}

}  // namespace dwell
