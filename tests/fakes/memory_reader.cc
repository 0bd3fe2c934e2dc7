#include "tests/fakes/memory_reader.h"

#include <algorithm>
#include <map>

namespace dwell {

Result<std::vector<Row>> MemoryReader::timeline(const TimelineQuery& query) {
  const bool is_up = query.order == RowOrder::ascending;
  const auto precedes = [&](const Row& a, const Row& b) {
    return is_up ? comes_before(a, b) : comes_before(b, a);
  };
  std::vector<Row> page;
  for (const MemoryStore::Device& device : store_.devices) {
    if (device.id != query.device) continue;
    for (const Row& row : device.rows) {
      const bool is_asked_for = row.timestamp >= query.start && row.timestamp <= query.end &&
                                (!query.after || precedes(*query.after, row));
      if (is_asked_for) page.push_back(row);
    }
  }
  if (!is_up) std::reverse(page.begin(), page.end());
  page.resize(std::min(page.size(), query.limit));
  return page;
}

namespace {

// The head of the run that the last row up to `at` belongs to.
std::optional<Row> last_run(const std::vector<Row>& rows, Timestamp at) {
  std::optional<Row> head;
  for (const Row& row : rows) {
    if (row.timestamp > at) break;
    if (!head || head->type != row.type) head = row;
  }
  return head;
}

}  // namespace

Result<PresencePage> MemoryReader::presence(const PresenceQuery& query) {
  std::map<std::string, Timestamp> inside;
  for (const MemoryStore::Device& device : store_.devices) {
    const auto run = last_run(device.rows, query.at);
    if (run && run->type == EventType::enter) inside[device.id] = run->timestamp;
  }
  PresencePage page;
  for (const auto& [device, since] : inside) {
    if (query.after && device <= *query.after) continue;
    page.inside.push_back({device, since});
    if (page.inside.size() < query.limit) continue;
    page.next = device;
    break;
  }
  return page;
}

Result<std::optional<DeviceReport>> MemoryReader::device(const std::string& id) {
  for (const MemoryStore::Device& device : store_.devices) {
    if (device.id != id) continue;
    auto outcomes = decode_summary(device.state);
    if (!outcomes) return pass(outcomes);
    const auto first = device.rows.empty() ? outcomes->last_seen : device.rows.front().timestamp;
    return std::optional(DeviceReport{last_run(device.rows, kLatest), first, *outcomes});
  }
  return std::optional<DeviceReport>();
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
