#include "postgres/postgres_reader.h"

#include <algorithm>

#include "base/check.h"
#include "postgres/hypertable.h"
#include "postgres/migrations.h"

namespace dwell {
namespace {

namespace asio = boost::asio;

constexpr std::chrono::milliseconds kPatienceOfCheck{5'000};  // a connection may have to be opened
constexpr std::chrono::milliseconds kPatienceWithLocks{2'500};

enum StatementNumber : std::size_t {
  kUp,
  kUpAfter,
  kDown,
  kDownAfter,
  kPresence,
  kPresenceOfHypertable,
  kDevice,
  kPositions,
  kHypertable,
  kFault,
  kTouch,
  kLastStatement = kTouch
};

// Rows of one device, $1, from $2 to $3: the first $4 by time, with all others of the last one's
// time. So the index alone gives them; the order within a time is for the reader. The order of
// types is that of their bytes.
std::string rows_of(bool is_up, bool is_after) {
  const std::string_view direction = is_up ? "" : " DESC";
  return fmt::format(
      "SELECT timestamp, rank, event_type, seq FROM device_events_cleaned "
      "WHERE device_id = $1 AND timestamp BETWEEN $2 AND $3{} "
      "ORDER BY timestamp{} FETCH FIRST $4 ROWS WITH TIES",
      is_after ? fmt::format(" AND (timestamp, rank, event_type COLLATE \"C\") {} ($5, $6, $7)",
                             is_up ? ">" : "<")
               : "",
      direction);
}

// Rows of device d up to $1 that tell presence, and the order of the last one first.
constexpr std::string_view kTelling =
    "WHERE e.device_id = d.device_id AND e.timestamp BETWEEN 0 AND $1 "
    "AND e.event_type IN ('device_enter', 'device_exit')";
constexpr std::string_view kLastFirst =
    "ORDER BY e.timestamp DESC, e.rank DESC, e.event_type COLLATE \"C\" DESC";

// For each device of `devices` with a row up to $1 the head of the run that its last row belongs
// to. That is nearly always the last row itself; where the one before is of the same type, it is
// the first row behind the last one of the other type. Rows of other types are passed over.
std::string last_runs(std::string_view devices) {
  return fmt::format(
      "SELECT d.device_id, coalesce(run.timestamp, last.timestamp), coalesce(run.rank, last.rank), "
      "last.event_type, CASE WHEN run.timestamp IS NULL THEN last.seq ELSE run.seq END "
      "FROM {0} AS d "
      "LEFT JOIN LATERAL (SELECT e.*, lead(e.event_type) OVER ({2}) AS before FROM "
      "(SELECT e.timestamp, e.rank, e.event_type, e.seq FROM device_events_cleaned AS e "
      "{1} {2} LIMIT 2) AS e {2} LIMIT 1) AS last ON true "
      "LEFT JOIN LATERAL (SELECT e.timestamp, e.rank, e.event_type FROM device_events_cleaned AS e "
      "{1} AND last.before = last.event_type AND e.event_type <> last.event_type {2} LIMIT 1) "
      "AS other ON true "
      "LEFT JOIN LATERAL (SELECT e.timestamp, e.rank, e.seq FROM device_events_cleaned AS e "
      "{1} AND last.before = last.event_type AND e.event_type = last.event_type "
      "AND e.timestamp >= coalesce(other.timestamp, 0) AND (other.timestamp IS NULL OR "
      "(e.timestamp, e.rank, e.event_type COLLATE \"C\") > "
      "(other.timestamp, other.rank, other.event_type COLLATE \"C\")) "
      "ORDER BY e.timestamp, e.rank LIMIT 1) AS run ON true",
      devices, kTelling, kLastFirst);
}

// The next $3 devices after $2: one step down the index for each.
constexpr std::string_view kSteps =
    "WITH RECURSIVE step(device_id, number) AS ("
    "(SELECT device_id, 1 FROM device_events_cleaned WHERE device_id > $2 "
    "ORDER BY device_id LIMIT 1) UNION ALL "
    "SELECT (SELECT e.device_id FROM device_events_cleaned AS e "
    "WHERE e.device_id > step.device_id ORDER BY e.device_id LIMIT 1), number + 1 FROM step "
    "WHERE step.device_id IS NOT NULL AND number < $3::bigint) ";
constexpr std::string_view kDevices = "(SELECT device_id FROM step WHERE device_id IS NOT NULL)";
// A hypertable has an index for each chunk; TimescaleDB skips through all of them at once.
constexpr std::string_view kDevicesOfHypertable =
    "(SELECT DISTINCT device_id FROM device_events_cleaned WHERE device_id > $2 "
    "ORDER BY device_id LIMIT $3::bigint)";

std::vector<std::string> statements() {
  std::vector<std::string> all(kLastStatement + 1);
  all[kUp] = rows_of(true, false);
  all[kUpAfter] = rows_of(true, true);
  all[kDown] = rows_of(false, false);
  all[kDownAfter] = rows_of(false, true);
  all[kPresence] = fmt::format("{}{} ORDER BY d.device_id", kSteps, last_runs(kDevices));
  all[kPresenceOfHypertable] = last_runs(kDevicesOfHypertable) + " ORDER BY d.device_id";
  all[kDevice] = fmt::format(
      "SELECT device.*, (SELECT min(e.timestamp) FROM device_events_cleaned AS e "
      "WHERE e.device_id = $2 AND e.timestamp BETWEEN 0 AND $1), d.last_seen, d.accepted, "
      "d.repeated_enter, d.repeated_exit, d.duplicate, d.initial_exit, d.promoted, d.retracted "
      "FROM ({}) AS device LEFT JOIN dwell_device AS d ON d.device_id = $2",
      last_runs("(SELECT $2::text AS device_id)"));
  all[kPositions] = "SELECT partition, next FROM dwell_position WHERE topic = $1";
  all[kHypertable] = kIsHypertable;
  all[kFault] = kFaultOfLayout;
  all[kTouch] = "SELECT FROM device_events_cleaned LIMIT 1";
  return all;
}

PgPoolOptions with_statements(PgPoolOptions options) {
  // Prepared plans are made for any device. Few rows are expected of it then, which would be read
  // and sorted whole for a page; by the index a page costs what it holds.
  options.database.session =
      "SET default_transaction_read_only = on; SET enable_sort = off; SET jit = off";
  options.database.connect_timeout = std::chrono::seconds(3);
  options.database.statement_timeout = options.patience;
  options.statements = statements();
  return options;
}

// The columns timestamp, rank, event_type, seq from `column` on.
Row row_of(const PgResult& result, int row, int column) {
  const auto type = result.bytes(row, column + 2);
  const bool is_enter = type == wire_name(EventType::enter);
  const bool is_other = !is_enter && type != wire_name(EventType::exit);
  return {from_ms(result.integer(row, column)),
          static_cast<std::uint64_t>(result.integer(row, column + 1)),
          is_enter ? EventType::enter : EventType::exit,
          result.is_null(row, column + 3)
              ? 0
              : static_cast<std::uint64_t>(result.integer(row, column + 3)),
          std::string(is_other ? type : std::string_view())};
}

// The columns of dwell_device from `column` on; empty for a device that is not in it (yet).
std::optional<OutcomeSummary> outcomes_of(const PgResult& result, int row, int column) {
  if (result.is_null(row, column)) return {};
  const auto count = [&](int i) {
    return static_cast<std::uint64_t>(result.integer(row, column + i));
  };
  OutcomeSummary outcomes;
  outcomes.last_seen = from_ms(result.integer(row, column));
  outcomes.accepted = count(1);
  outcomes.suppressed = {count(2), count(3), count(4), count(5)};
  outcomes.promoted = count(6);
  outcomes.retracted = count(7);
  return outcomes;
}

}  // namespace

PostgresReader::PostgresReader(asio::io_context& context, PgPoolOptions options)
    : pool_(context, with_statements(std::move(options))) {}

asio::awaitable<Result<std::vector<Row>>> PostgresReader::timeline(const TimelineQuery& query) {
  CHECK(query.limit >= 1 && query.limit <= kLargestPage);
  const bool is_up = query.order == RowOrder::ascending;
  auto start = query.start;
  auto end = query.end;
  if (query.after && is_up) start = std::max(start, query.after->timestamp);
  if (query.after && !is_up) end = std::min(end, query.after->timestamp);
  std::vector<Row> rows;
  if (end < start) co_return rows;

  PgParameters parameters;
  parameters.text(query.device)
      .integer(to_ms(start))
      .integer(to_ms(end))
      .integer(static_cast<std::int64_t>(query.limit));
  std::size_t statement = is_up ? kUp : kDown;
  if (query.after) {
    statement = is_up ? kUpAfter : kDownAfter;
    parameters.integer(to_ms(query.after->timestamp))
        .integer(static_cast<std::int64_t>(query.after->rank))
        .text(query.after->type_name());
  }
  const auto answer = co_await pool_.run(statement, parameters);
  if (!answer) co_return Failure(answer.error());
  rows.reserve(static_cast<std::size_t>(answer->rows()));
  for (int i = 0; i < answer->rows(); ++i) {
    Row row = row_of(*answer, i, 0);
    // Rows of one time are few.
    auto place = rows.end();
    while (place != rows.begin() &&
           comes_before(is_up ? row : place[-1], is_up ? place[-1] : row)) {
      --place;
    }
    rows.insert(place, std::move(row));
  }
  if (rows.size() > query.limit) {
    rows.erase(rows.begin() + static_cast<std::ptrdiff_t>(query.limit), rows.end());
  }
  co_return rows;
}

asio::awaitable<Result<bool>> PostgresReader::is_hypertable() {
  if (!is_hypertable_) {
    const auto answer = co_await pool_.run(kHypertable, PgParameters());
    if (!answer) co_return Failure(answer.error());
    is_hypertable_ = answer->integer(0, 0) != 0;
  }
  co_return *is_hypertable_;
}

asio::awaitable<Result<PresencePage>> PostgresReader::presence(const PresenceQuery& query) {
  CHECK(query.limit >= 1 && query.limit <= kLargestPage);
  constexpr std::size_t kFewest = 1'000;  // devices looked at for a page, where there are as many
  constexpr std::size_t kMost = 20'000;
  const std::size_t looked_at = std::clamp(2 * query.limit, kFewest, kMost);
  PgParameters parameters;
  parameters.integer(to_ms(query.at))
      .text(query.after.value_or(""))
      .integer(static_cast<std::int64_t>(looked_at));
  const auto is_hypertable = co_await this->is_hypertable();
  if (!is_hypertable) co_return Failure(is_hypertable.error());
  const auto answer =
      co_await pool_.run(*is_hypertable ? kPresenceOfHypertable : kPresence, parameters);
  if (!answer) co_return Failure(answer.error());
  PresencePage page;
  for (int i = 0; i < answer->rows(); ++i) {
    if (!answer->is_null(i, 1)) {
      const Row head = row_of(*answer, i, 1);
      if (head.type == EventType::enter) {
        page.inside.push_back({std::string(answer->bytes(i, 0)), head.timestamp});
      }
    }
    const bool is_last = static_cast<std::size_t>(i) + 1 == looked_at;
    if (page.inside.size() == query.limit || is_last) {
      page.next = std::string(answer->bytes(i, 0));
      break;
    }
  }
  co_return page;
}

asio::awaitable<Result<std::optional<DeviceReport>>> PostgresReader::device(const std::string& id) {
  const auto answer = co_await pool_.run(kDevice, PgParameters().integer(to_ms(kLatest)).text(id));
  if (!answer) co_return Failure(answer.error());
  DeviceReport report;
  report.outcomes = outcomes_of(*answer, 0, 6);
  const bool has_rows = !answer->is_null(0, 5);
  if (!has_rows && !report.outcomes) co_return std::optional<DeviceReport>();
  if (!answer->is_null(0, 1)) report.last_run = row_of(*answer, 0, 1);
  report.first_seen = has_rows ? from_ms(answer->integer(0, 5)) : report.outcomes->last_seen;
  co_return std::optional(std::move(report));
}

asio::awaitable<Result<void>> PostgresReader::check() {
  const PgPoolState state = pool_.state();
  if (state.open > 0 && state.idle == 0) {  // all are busy, with what is answered or is not
    if (state.silence.empty()) co_return Result<void>();
    co_return fail(ErrorKind::retry_later, "{}", state.silence);
  }
  const auto answer = co_await pool_.run(kFault, PgParameters(), kPatienceOfCheck);
  if (!answer) co_return Failure(answer.error());
  is_hypertable_.reset();  // it may have become one
  if (auto checked = check_layout(*answer); !checked) co_return checked;
  // The catalog answers while a lock keeps everybody from the rows.
  const auto touched = co_await pool_.run(kTouch, PgParameters(), kPatienceWithLocks);
  if (!touched) co_return Failure(touched.error());
  co_return Result<void>();
}

asio::awaitable<Result<std::map<PartitionId, Offset>>> PostgresReader::positions(
    const std::string& topic) {
  const auto answer = co_await pool_.run(kPositions, PgParameters().text(topic));
  if (!answer) co_return Failure(answer.error());
  std::map<PartitionId, Offset> positions;
  for (int i = 0; i < answer->rows(); ++i) {
    positions[static_cast<PartitionId>(answer->integer(i, 0))] = answer->integer(i, 1);
  }
  co_return positions;
}

}  // namespace dwell
