#include "tests/fakes/memory_report.h"

namespace dwell {

Result<std::vector<RejectedRecord>> MemoryReport::rejected(const RejectedQuery& query) {
  std::vector<RejectedRecord> page;
  for (const RejectedRecord& record : store_.rejected) {
    const bool is_asked_for = record.id > query.after &&
                              record.id == query.id.value_or(record.id) &&
                              record.reason == query.reason.value_or(record.reason);
    if (is_asked_for && page.size() < query.limit) page.push_back(record);
  }
  return page;
}

Result<StoreTotals> MemoryReport::totals() {
  StoreTotals totals{};
  totals.order = store_.order.value_or(Order::arrival);
  totals.totals = store_.totals;
  totals.devices = store_.devices.size();
  for (const MemoryStore::Device& device : store_.devices) totals.rows += device.rows.size();
  totals.absorbed = store_.absorbed;
  totals.faults = store_.faults;
  totals.known_late = store_.known_late;
  totals.late = store_.late;
  totals.rejects_kept = store_.rejected.size();
  totals.rejects_dropped = store_.rejects_dropped;
  return totals;
}

}  // namespace dwell
