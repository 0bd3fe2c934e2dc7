#include "tests/fakes/memory_reader.h"

#include <algorithm>
#include <map>

namespace dwell {

Result<std::vector<Row>> MemoryReader::timeline(const TimelineQuery& query) {
  std::vector<Row> page;
  for (const MemoryStore::Device& device : store_.devices) {
    if (device.id != query.device) continue;
    for (const Row& row : device.rows) {
      const bool is_asked_for = row.timestamp >= query.start && row.timestamp <= query.end &&
                                (!query.after || comes_before(*query.after, row));
      if (is_asked_for && page.size() < query.limit) page.push_back(row);
    }
  }
  return page;
}

Result<std::vector<Presence>> MemoryReader::presence(const PresenceQuery& query) {
  std::map<std::string, Timestamp> inside;
  for (const MemoryStore::Device& device : store_.devices) {
    std::optional<Timestamp> since;
    for (const Row& row : device.rows) {
      if (row.timestamp > query.at) break;
      if (row.type == EventType::exit) {
        since.reset();
      } else if (!since) {
        since = row.timestamp;
      }
    }
    if (since) inside[device.id] = *since;
  }
  std::vector<Presence> page;
  for (const auto& [device, since] : inside) {
    const bool is_asked_for = !query.after || device > *query.after;
    if (is_asked_for && page.size() < query.limit) page.push_back({device, since});
  }
  return page;
}

Result<std::vector<RejectedRecord>> MemoryReader::rejected(const RejectedQuery& query) {
  std::vector<RejectedRecord> page;
  for (const RejectedRecord& record : store_.rejected) {
    const bool is_asked_for = record.id > query.after &&
                              record.id == query.id.value_or(record.id) &&
                              record.reason == query.reason.value_or(record.reason);
    if (is_asked_for && page.size() < query.limit) page.push_back(record);
  }
  return page;
}

Result<StoreTotals> MemoryReader::totals() {
  StoreTotals totals{};
  totals.order = store_.order.value_or(Order::arrival);
  totals.totals = store_.totals;
  totals.devices = store_.devices.size();
  for (const MemoryStore::Device& device : store_.devices) totals.rows += device.rows.size();
  totals.absorbed = store_.absorbed;
  totals.faults = store_.faults;
  totals.rejects_kept = store_.rejected.size();
  totals.rejects_dropped = store_.rejects_dropped;
  return totals;
}

}  // namespace dwell
