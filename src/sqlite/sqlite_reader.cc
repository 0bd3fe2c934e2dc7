#include "sqlite/sqlite_reader.h"

#include <algorithm>
#include <filesystem>

#include "base/check.h"
#include "base/printable.h"
#include "core/state_record.h"
#include "sqlite/migrations.h"
#include "sqlite/stored_facts.h"
#include "sqlite/stored_totals.h"

namespace dwell {
namespace {

Row row_of(const Statement& statement) {
  return {from_ms(statement.integer(0)), static_cast<std::uint64_t>(statement.integer(1)),
          static_cast<EventType>(statement.integer(2)),
          static_cast<std::uint64_t>(statement.integer(3))};
}

bool is_known(EventType type) {
  return type == EventType::enter || type == EventType::exit;
}

// Ends the statement at a row that no release has written.
Failure unknown_row(Statement& statement) {
  const auto type = statement.integer(2);
  statement.reset();
  return fail(ErrorKind::fatal,
              "a row of the database has the type {}: another program changed it; go back to a "
              "backup",
              type);
}

// Puts rows read in key order (timestamp, type), up or down, into row order: only those of one
// millisecond, two at most, can stand wrong.
template <typename Before>
void order_last_millisecond(std::vector<Row>& rows, Before before) {
  for (auto i = rows.size(); i > 1 && rows[i - 1].timestamp == rows[i - 2].timestamp; --i) {
    if (before(rows[i - 1], rows[i - 2])) std::swap(rows[i - 1], rows[i - 2]);
  }
}

bool comes_after(const Row& a, const Row& b) {
  return comes_before(b, a);
}

// Runs `read` in one read transaction, so that all it sees is of one moment.
template <typename Read>
auto in_one_view(Database& database, Read read) -> decltype(read()) {
  if (auto begun = database.execute("BEGIN"); !begun) return pass(begun);
  auto answer = read();
  if (auto ended = database.execute("COMMIT"); !ended && answer) return pass(ended);
  return answer;
}

// The devices one page of presence may look at: what bounds the time it takes.
constexpr std::size_t kMostDevicesLookedAt = 20'000;

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
  const auto real_path = std::filesystem::canonical(path, error).string();
  if (auto checked = check_name(**database, real_path); !checked) return pass(checked);
  std::unique_ptr<SqliteReader> reader(new SqliteReader(std::move(*database)));
  if (auto prepared = reader->prepare(); !prepared) return pass(prepared);
  return reader;
}

Result<void> SqliteReader::prepare() {
  const std::pair<Statement*, std::string_view> all[] = {
      {&find_device_, "SELECT id FROM device WHERE name = ?"},
      // The device by its name: a statement of its own would be a second read transaction.
      {&rows_up_,
       "SELECT timestamp, rank, type, seq FROM event "
       "WHERE device = (SELECT id FROM device WHERE name = ?) AND timestamp >= ? "
       "ORDER BY timestamp, type"},
      {&rows_down_,
       "SELECT timestamp, rank, type, seq FROM event "
       "WHERE device = (SELECT id FROM device WHERE name = ?) AND timestamp <= ? "
       "ORDER BY timestamp DESC, type DESC"},
      {&rows_back_from_,
       "SELECT timestamp, rank, type, seq FROM event WHERE device = ? AND timestamp <= ? "
       "ORDER BY timestamp DESC, type DESC"},
      {&about_device_,
       "SELECT state, (SELECT min(timestamp) FROM event WHERE device = ?1) FROM device "
       "WHERE id = ?1"},
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
  const bool is_up = query.order == RowOrder::ascending;
  const auto before = is_up ? comes_before : comes_after;
  auto start = query.start;
  auto end = query.end;
  if (query.after && is_up) start = std::max(start, query.after->timestamp);
  if (query.after && !is_up) end = std::min(end, query.after->timestamp);
  if (end < start) return rows;
  rows.reserve(std::min<std::size_t>(query.limit + 1, 1'024));

  Statement& statement = is_up ? rows_up_ : rows_down_;
  statement.bind_text(1, query.device);
  statement.bind(2, to_ms(is_up ? start : end));
  for (;;) {
    auto more = statement.step();
    if (!more) return pass(more);
    if (!*more) break;
    const Row row = row_of(statement);
    if (!is_known(row.type)) return unknown_row(statement);
    // The far end is looked for here: SQLite compares whole keys for it, at every row.
    if (row.timestamp > end || row.timestamp < start) break;
    // A page ends only where a millisecond does, or its rows could be put in order too late.
    if (rows.size() >= query.limit && row.timestamp != rows.back().timestamp) break;
    if (query.after && !before(*query.after, row)) continue;
    rows.push_back(row);
    order_last_millisecond(rows, before);
  }
  statement.reset();
  if (rows.size() > query.limit) rows.resize(query.limit);
  return rows;
}

Result<std::optional<Row>> SqliteReader::last_run(std::int64_t device, Timestamp at) {
  rows_back_from_.bind(1, device);
  rows_back_from_.bind(2, to_ms(at));
  std::optional<Row> head;
  std::vector<Row> millisecond;
  bool is_settled = false;
  // Judges the collected rows of one millisecond, last row first.
  const auto settle = [&] {
    for (const Row& row : millisecond) {
      is_settled = is_settled || (head && head->type != row.type);
      if (!is_settled) head = row;
    }
    millisecond.clear();
  };
  while (!is_settled) {
    auto more = rows_back_from_.step();
    if (!more) return pass(more);
    if (!*more) break;
    const Row row = row_of(rows_back_from_);
    if (!is_known(row.type)) return unknown_row(rows_back_from_);
    if (!millisecond.empty() && millisecond.back().timestamp != row.timestamp) settle();
    millisecond.push_back(row);
    order_last_millisecond(millisecond, comes_after);
  }
  rows_back_from_.reset();
  settle();
  return head;
}

Result<PresencePage> SqliteReader::presence(const PresenceQuery& query) {
  return in_one_view(*database_, [&] { return read_presence(query); });
}

Result<PresencePage> SqliteReader::read_presence(const PresenceQuery& query) {
  CHECK(query.limit >= 1 && query.limit <= kLargestPage);
  PresencePage page;
  const std::string after = query.after.value_or("");
  devices_.bind_text(1, after);
  for (std::size_t looked_at = 1;; ++looked_at) {
    auto more = devices_.step();
    if (!more) return pass(more);
    if (!*more) return page;
    std::string name(devices_.bytes(1));
    auto run = last_run(devices_.integer(0), query.at);
    if (!run) {
      devices_.reset();
      return pass(run);
    }
    if (*run && (*run)->type == EventType::enter) page.inside.push_back({name, (*run)->timestamp});
    if (page.inside.size() == query.limit || looked_at == kMostDevicesLookedAt) {
      page.next = std::move(name);
      devices_.reset();
      return page;
    }
  }
}

Result<std::optional<DeviceReport>> SqliteReader::device(const std::string& id) {
  return in_one_view(*database_, [&] { return read_device(id); });
}

Result<std::optional<DeviceReport>> SqliteReader::read_device(const std::string& id) {
  auto number = device_number(id);
  if (!number) return pass(number);
  if (!*number) return std::optional<DeviceReport>();
  auto run = last_run(**number, kLatest);
  if (!run) return pass(run);
  about_device_.bind(1, **number);
  auto row = about_device_.step();
  if (!row) return pass(row);
  if (!*row) {
    return fail(ErrorKind::fatal, "device {}: another program has changed the table of devices",
                printable(id));
  }
  auto outcomes = decode_summary(about_device_.bytes(0));
  const auto first_row = from_ms(about_device_.integer(1));
  about_device_.reset();
  if (!outcomes) return fail(ErrorKind::fatal, "device {}: {}", id, outcomes.error().message);
  return std::optional(DeviceReport{*run, *run ? first_row : outcomes->last_seen, *outcomes});
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
  return in_one_view(*database_, [&]() -> Result<StoreTotals> {
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
  });
}

}  // namespace dwell
