#include "sqlite/sqlite_reader.h"

#include <algorithm>
#include <filesystem>

#include "base/check.h"
#include "sqlite/migrations.h"
#include "sqlite/stored_order.h"
#include "sqlite/stored_totals.h"

namespace dwell {
namespace {

Row row_of(const Statement& statement) {
  return {from_ms(statement.integer(0)), static_cast<std::uint64_t>(statement.integer(1)),
          static_cast<EventType>(statement.integer(2)),
          static_cast<std::uint64_t>(statement.integer(3))};
}

// Puts rows read in key order (timestamp, type) into row order: only those of one millisecond, two
// at most, can stand wrong.
void order_last_millisecond(std::vector<Row>& rows) {
  for (auto i = rows.size(); i > 1 && rows[i - 1].timestamp == rows[i - 2].timestamp; --i) {
    if (comes_before(rows[i - 1], rows[i - 2])) std::swap(rows[i - 1], rows[i - 2]);
  }
}

}  // namespace

Result<std::unique_ptr<SqliteReader>> SqliteReader::open(const std::string& path,
                                                         DatabaseOptions options) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    return fail(ErrorKind::not_found,
                "{}: no such database; make one with `dwell replay FILE --db {}`", path, path);
  }
  options.is_read_only = true;
  auto database = Database::open(path, options);
  if (!database) return pass(database);
  if (auto checked = check_schema(**database); !checked) return pass(checked);
  std::unique_ptr<SqliteReader> reader(new SqliteReader(std::move(*database)));
  if (auto prepared = reader->prepare(); !prepared) return pass(prepared);
  return reader;
}

Result<void> SqliteReader::prepare() {
  const std::pair<Statement*, std::string_view> all[] = {
      {&find_device_, "SELECT id FROM device WHERE name = ?"},
      {&rows_from_,
       "SELECT timestamp, rank, type, seq FROM event "
       "WHERE device = ? AND timestamp >= ? AND timestamp <= ? ORDER BY timestamp, type"},
      {&rows_back_,
       "SELECT timestamp, rank, type, seq FROM event "
       "WHERE device = ? AND timestamp <= ? ORDER BY timestamp DESC, type DESC"},
      {&devices_, "SELECT id, name FROM device WHERE name > ? ORDER BY name"},
      {&rejects_,
       "SELECT id, reason, source, offset, received, bytes, truncated_from FROM reject "
       "WHERE id > ?1 AND (?2 = '' OR reason = ?2) AND (?3 = 0 OR id = ?3) ORDER BY id LIMIT ?4"},
  };
  for (const auto& [statement, sql] : all) {
    auto prepared = database_->prepare(sql);
    if (!prepared) return pass(prepared);
    *statement = std::move(*prepared);
  }
  return {};
}

Result<std::optional<std::int64_t>> SqliteReader::device_number(const std::string& name) {
  find_device_.bind_text(1, name);
  auto row = find_device_.step();
  if (!row) return pass(row);
  if (!*row) return std::optional<std::int64_t>();
  const std::int64_t number = find_device_.integer(0);
  find_device_.reset();
  return std::optional(number);
}

Result<std::vector<Row>> SqliteReader::timeline(const TimelineQuery& query) {
  CHECK(query.limit >= 1 && query.limit <= kLargestPage);
  std::vector<Row> rows;
  auto device = device_number(query.device);
  if (!device) return pass(device);
  const Timestamp start = query.after ? std::max(query.start, query.after->timestamp) : query.start;
  if (!*device || query.end < start) return rows;

  rows_from_.bind(1, **device);
  rows_from_.bind(2, to_ms(start));
  rows_from_.bind(3, to_ms(query.end));
  for (;;) {
    auto more = rows_from_.step();
    if (!more) return pass(more);
    if (!*more) break;
    const Row row = row_of(rows_from_);
    // A page ends only where a millisecond does, or its rows could be put in order too late.
    if (rows.size() >= query.limit && row.timestamp != rows.back().timestamp) break;
    if (query.after && !comes_before(*query.after, row)) continue;
    rows.push_back(row);
    order_last_millisecond(rows);
  }
  rows_from_.reset();
  if (rows.size() > query.limit) rows.resize(query.limit);
  return rows;
}

// Walks back from `at` to the head of the run that the last row belongs to.
Result<std::optional<Timestamp>> SqliteReader::inside_since(std::int64_t device, Timestamp at) {
  rows_back_.bind(1, device);
  rows_back_.bind(2, to_ms(at));
  std::optional<Timestamp> since;
  std::vector<Row> millisecond;
  bool has_more = true;
  bool is_settled = false;
  // Judges the collected rows of one millisecond, last row first.
  const auto settle = [&] {
    std::sort(millisecond.begin(), millisecond.end(), comes_before);
    for (auto row = millisecond.rbegin(); row != millisecond.rend() && !is_settled; ++row) {
      is_settled = row->type == EventType::exit;
      if (!is_settled) since = row->timestamp;
    }
    millisecond.clear();
  };
  while (has_more && !is_settled) {
    auto more = rows_back_.step();
    if (!more) return pass(more);
    has_more = *more;
    if (!has_more) break;
    const Row row = row_of(rows_back_);
    if (!millisecond.empty() && millisecond.back().timestamp != row.timestamp) settle();
    millisecond.push_back(row);
  }
  rows_back_.reset();
  if (!is_settled) settle();
  return since;
}

Result<std::vector<Presence>> SqliteReader::presence(const PresenceQuery& query) {
  CHECK(query.limit >= 1 && query.limit <= kLargestPage);
  auto view = database_->execute("BEGIN");
  if (!view) return pass(view);
  auto present = [&]() -> Result<std::vector<Presence>> {
    std::vector<Presence> inside;
    const std::string after = query.after.value_or("");
    devices_.bind_text(1, after);
    while (inside.size() < query.limit) {
      auto more = devices_.step();
      if (!more) return pass(more);
      if (!*more) break;
      auto since = inside_since(devices_.integer(0), query.at);
      if (!since) {
        devices_.reset();
        return pass(since);
      }
      if (*since) inside.push_back({std::string(devices_.bytes(1)), **since});
    }
    devices_.reset();
    return inside;
  }();
  if (auto ended = database_->execute("COMMIT"); !ended && present) return pass(ended);
  return present;
}

Result<std::vector<RejectedRecord>> SqliteReader::rejected(const RejectedQuery& query) {
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

Result<StoreTotals> SqliteReader::totals() {
  if (auto view = database_->execute("BEGIN"); !view) return pass(view);
  auto answer = [&]() -> Result<StoreTotals> {
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
    totals.rejects_kept = static_cast<std::uint64_t>(*rejects);
    totals.rejects_dropped = counts.rejects_dropped;
    return totals;
  }();
  if (auto ended = database_->execute("COMMIT"); !ended && answer) return pass(ended);
  return answer;
}

}  // namespace dwell
