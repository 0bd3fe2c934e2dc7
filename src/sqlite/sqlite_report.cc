#include "sqlite/sqlite_report.h"

#include "base/check.h"
#include "sqlite/open_reader.h"
#include "sqlite/stored_facts.h"
#include "sqlite/stored_totals.h"

namespace dwell {

Result<std::unique_ptr<SqliteReport>> SqliteReport::open(const std::string& path,
                                                         DatabaseOptions options) {
  auto database = open_to_read(path, std::move(options));
  if (!database) return pass(database);
  auto rejects = (*database)->prepare(
      "SELECT id, reason, source, offset, received, bytes, truncated_from FROM reject "
      "WHERE id > ?1 AND (?2 = '' OR reason = ?2) AND (?3 = 0 OR id = ?3) ORDER BY id LIMIT ?4");
  if (!rejects) return pass(rejects);
  return std::unique_ptr<SqliteReport>(new SqliteReport(std::move(*database), std::move(*rejects)));
}

Result<std::vector<RejectedRecord>> SqliteReport::rejected(const RejectedQuery& query) {
  CHECK(query.limit >= 1 && query.limit <= kLargestPage);
  const std::string reason = query.reason.value_or("");
  rejects_.bind(1, query.after);
  rejects_.bind_text(2, reason);
  rejects_.bind(3, query.id.value_or(0));
  rejects_.bind(4, static_cast<std::int64_t>(query.limit));
  std::vector<RejectedRecord> records;
  for (;;) {
    auto more = rejects_.step();
    if (!more) return pass(more);
    if (!*more) return records;
    records.push_back({rejects_.integer(0), std::string(rejects_.bytes(1)),
                       std::string(rejects_.bytes(2)), rejects_.integer(3),
                       from_ms(rejects_.integer(4)), std::string(rejects_.bytes(5)),
                       static_cast<std::uint64_t>(rejects_.integer(6))});
  }
}

Result<StoreTotals> SqliteReport::totals() {
  return in_one_moment(*database_, [&]() -> Result<StoreTotals> {
    StoreTotals totals{};
    StoreCounts counts;
    if (auto loaded = load_totals(*database_, totals.totals, counts); !loaded) return pass(loaded);
    auto order = load_order(*database_);
    if (!order) return pass(order);
    auto devices = database_->query_integer("SELECT count(*) FROM device");
    if (!devices) return pass(devices);
    auto rejects = database_->query_integer("SELECT count(*) FROM reject");
    if (!rejects) return pass(rejects);
    totals.order = order->value_or(Order::arrival);
    totals.devices = static_cast<std::uint64_t>(*devices);
    totals.rows = counts.rows;
    totals.absorbed = counts.absorbed;
    totals.faults = counts.faults;
    totals.known_late = counts.known_late;
    totals.late = counts.late;
    totals.rejects_kept = static_cast<std::uint64_t>(*rejects);
    totals.rejects_dropped = counts.rejects_dropped;
    return totals;
  });
}

Result<std::int64_t> SqliteReport::last_rejected() {
  return database_->query_integer(
      "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'reject'), 0)");
}

}  // namespace dwell
