#include "postgres/postgres_row_reader.h"

#include <algorithm>

#include "base/check.h"
#include "postgres/hypertable.h"
#include "postgres/migrations.h"

namespace dwell {
namespace {

namespace asio = boost::asio;

constexpr std::chrono::milliseconds kPatienceOfCheck{5'000};  // a connection may have to be opened
constexpr std::chrono::milliseconds kPatienceWithLocks{2'500};
constexpr std::size_t kMostDevices = 20'000;  // that one statement looks at

enum StatementNumber : std::size_t {
  kUp,
  kUpAfter,
  kDown,
  kDownAfter,
  kScanFrom,
  kScanBehind,
  kScanFromOfHypertable,
  kScanBehindOfHypertable,
  kOutcomes,
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

// The first $3 devices from $1 on, or behind it, up to $2 or without end: one step down the index
// for each. A hypertable has an index for each chunk; TimescaleDB skips through all of them at
// once.
std::string devices_of(bool is_behind, bool is_hypertable) {
  const std::string_view from = is_behind ? ">" : ">=";
  if (is_hypertable) {
    return fmt::format(
        "WITH d AS MATERIALIZED (SELECT DISTINCT device_id FROM device_events_cleaned "
        "WHERE device_id {} $1 AND ($2::text = '' OR device_id <= $2) "
        "ORDER BY device_id LIMIT $3::bigint) ",
        from);
  }
  return fmt::format(
      "WITH RECURSIVE step(device_id, number) AS ("
      "(SELECT device_id, 1 FROM device_events_cleaned WHERE device_id {} $1 "
      "ORDER BY device_id LIMIT 1) UNION ALL "
      "SELECT (SELECT e.device_id FROM device_events_cleaned AS e "
      "WHERE e.device_id > step.device_id ORDER BY e.device_id LIMIT 1), number + 1 FROM step "
      "WHERE step.device_id IS NOT NULL AND number < $3::bigint), "
      "d AS (SELECT device_id FROM step WHERE device_id IS NOT NULL "
      "AND ($2::text = '' OR device_id <= $2)) ",
      from);
}

// Of each of these devices: the newest $4 rows before $5, and the first $7 from $5 to $6; of either
// all others of the last one's time, and the order within a time is for the reader. A device
// without any has one row of nulls. In the order of devices, carried rows first; at most $8.
std::string scan_of(bool is_behind, bool is_hypertable) {
  constexpr std::string_view kRow =
      "e.timestamp, e.rank, e.event_type, e.seq FROM device_events_cleaned AS e "
      "WHERE e.device_id = d.device_id AND e.timestamp";
  return fmt::format(
      "{0}SELECT d.device_id, r.is_carried, r.timestamp, r.rank, r.event_type, r.seq "
      "FROM d LEFT JOIN LATERAL ("
      "(SELECT true AS is_carried, {1} BETWEEN 0 AND $5::bigint - 1 "
      "ORDER BY e.timestamp DESC FETCH FIRST ($4::bigint) ROWS WITH TIES) UNION ALL "
      "(SELECT false, {1} BETWEEN $5::bigint AND $6 "
      "ORDER BY e.timestamp FETCH FIRST ($7::bigint) ROWS WITH TIES)) AS r ON true "
      "LIMIT $8::bigint",
      devices_of(is_behind, is_hypertable), kRow);
}

std::vector<std::string> statements() {
  std::vector<std::string> all(kLastStatement + 1);
  all[kUp] = rows_of(true, false);
  all[kUpAfter] = rows_of(true, true);
  all[kDown] = rows_of(false, false);
  all[kDownAfter] = rows_of(false, true);
  all[kScanFrom] = scan_of(false, false);
  all[kScanBehind] = scan_of(true, false);
  all[kScanFromOfHypertable] = scan_of(false, true);
  all[kScanBehindOfHypertable] = scan_of(true, true);
  all[kOutcomes] =
      "SELECT last_seen, accepted, repeated_enter, repeated_exit, duplicate, initial_exit, "
      "promoted, retracted FROM dwell_device WHERE device_id = $1";
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

// The columns of dwell_device.
OutcomeSummary outcomes_of(const PgResult& result, int row) {
  const auto count = [&](int column) {
    return static_cast<std::uint64_t>(result.integer(row, column));
  };
  OutcomeSummary outcomes;
  outcomes.last_seen = from_ms(result.integer(row, 0));
  outcomes.accepted = count(1);
  outcomes.suppressed = {count(2), count(3), count(4), count(5)};
  outcomes.promoted = count(6);
  outcomes.retracted = count(7);
  return outcomes;
}

// Puts a row behind those of rows[first..] that come before it. Rows of one time are few.
void insert_in_order(std::vector<Row>& rows, std::size_t first, Row row, bool is_up) {
  auto place = rows.end();
  const auto begin = rows.begin() + static_cast<std::ptrdiff_t>(first);
  while (place != begin && comes_before(is_up ? row : place[-1], is_up ? place[-1] : row)) --place;
  rows.insert(place, std::move(row));
}

// What asks the database: the pool, or a transaction of it.
template <typename Asked>
asio::awaitable<Result<void>> read_one(Asked& asked, const Scan& scan, ScanPage& page) {
  const std::string& device = scan.after ? scan.after->device : scan.devices.first;
  const Row* const after = scan.after && scan.after->row ? &*scan.after->row : nullptr;
  const bool is_up = scan.order == RowOrder::ascending;
  auto start = scan.start;
  auto end = scan.end;
  if (after && is_up) start = std::max(start, after->timestamp);
  if (after && !is_up) end = std::min(end, after->timestamp);
  page.looked_at = 1;
  if (end < start || (scan.after && !after)) co_return Result<void>();

  PgParameters parameters;
  parameters.text(device)
      .integer(to_ms(start))
      .integer(to_ms(end))
      .integer(static_cast<std::int64_t>(scan.limit + 1));
  std::size_t statement = is_up ? kUp : kDown;
  if (after) {
    statement = is_up ? kUpAfter : kDownAfter;
    parameters.integer(to_ms(after->timestamp))
        .integer(static_cast<std::int64_t>(after->rank))
        .text(after->type_name());
  }
  const auto answer = co_await asked.run(statement, parameters);
  if (!answer) co_return pass(answer);
  std::vector<Row>& rows = page.rows;
  rows.reserve(static_cast<std::size_t>(answer->rows()));
  for (int i = 0; i < answer->rows(); ++i) insert_in_order(rows, 0, row_of(*answer, i, 0), is_up);
  if (rows.size() > scan.limit) {
    rows.erase(rows.begin() + static_cast<std::ptrdiff_t>(scan.limit), rows.end());
    page.next = ScanPlace{device, rows.back()};
  }
  if (!rows.empty()) page.devices.push_back({device, 0, rows.size()});
  co_return Result<void>();
}

// Makes a page of the answer of a scan statement.
class PageOfAnswer {
 public:
  PageOfAnswer(const Scan& scan, ScanPage& page) : scan_(scan), page_(page) {}

  Result<void> take(const PgResult& answer) {
    for (int i = 0; i < answer.rows(); ++i) {
      const auto device = answer.bytes(i, 0);
      if (i == 0 || device != device_) {
        if (device < device_) return fail(ErrorKind::fatal, "devices came out of order");
        if (i > 0) end_of_device();
        device_ = device;
        ++page_.looked_at;
      }
      if (answer.is_null(i, 1)) continue;
      const bool is_carried = answer.bytes(i, 1)[0] != 0;
      if (!is_carried) end_of_carried();
      insert_in_order(page_.rows, is_carried ? first_ : first_ + *carried_, row_of(answer, i, 2),
                      !is_carried);
    }
    if (answer.rows() > 0) end_of_device();
    return {};
  }

  // Keeps whole devices within the limit, or what fits of the first one where it alone is longer.
  // `is_cut`: rows of the last device may be missing; `is_last`: no devices come behind it. False:
  // no row can be kept, since all are of one millisecond that may be cut.
  bool fit(bool is_cut, bool is_last) {
    auto& devices = page_.devices;
    const bool is_back_cut = is_cut && !devices.empty() && devices.back().id == device_;
    std::size_t whole = devices.size() - (is_back_cut ? 1 : 0);
    while (whole > 0 && devices[whole - 1].end > scan_.limit) --whole;
    if (whole == devices.size()) {
      if (is_cut || !is_last) page_.next = ScanPlace{std::string(device_)};
      return true;
    }
    if (whole > 0) {
      page_.rows.erase(row(devices[whole - 1].end), page_.rows.end());
      devices.erase(devices.begin() + static_cast<std::ptrdiff_t>(whole), devices.end());
      page_.next = ScanPlace{devices.back().id};
      page_.looked_at = whole;
      return true;
    }
    devices.erase(devices.begin() + 1, devices.end());
    page_.looked_at = 1;
    return shorten(devices.front(), is_back_cut && devices.front().id == device_);
  }

 private:
  std::vector<Row>::iterator row(std::size_t i) {
    return page_.rows.begin() + static_cast<std::ptrdiff_t>(i);
  }
  void end_of_carried() {
    if (carried_) return;
    if (page_.rows.size() - first_ > scan_.carry) {
      page_.rows.erase(row(first_ + scan_.carry), page_.rows.end());
    }
    carried_ = page_.rows.size() - first_;
  }
  void end_of_device() {
    end_of_carried();
    if (page_.rows.size() > first_) {
      page_.devices.push_back({std::string(device_), *carried_, page_.rows.size()});
    }
    first_ = page_.rows.size();
    carried_.reset();
  }
  bool shorten(ScanPage::Device& device, bool is_cut) {
    auto end = device.end;
    const auto last = page_.rows[end - 1].timestamp;
    while (is_cut && end > device.carried && page_.rows[end - 1].timestamp == last) --end;
    end = std::min(end, scan_.limit);
    if (end == 0) return false;
    page_.rows.erase(row(end), page_.rows.end());
    device.end = end;
    page_.next =
        ScanPlace{device.id, end > device.carried ? page_.rows.back() : page_.rows.front()};
    return true;
  }

  const Scan& scan_;
  ScanPage& page_;
  std::string_view device_;
  std::size_t first_ = 0;               // row of the device
  std::optional<std::size_t> carried_;  // how many; empty: more may come
};

template <typename Asked>
asio::awaitable<Result<void>> read_many(Asked& asked, const Scan& scan, bool is_hypertable,
                                        ScanPage& page) {
  const bool is_behind = scan.after.has_value();
  const bool has_window = scan.start <= scan.end;
  const bool is_one = scan.devices.is_one();
  const auto most_devices = has_window || scan.carry == 0 ? scan.limit : scan.limit / scan.carry;
  const auto devices = is_one ? 1 : std::min(most_devices, kMostDevices);
  const auto most = static_cast<std::int64_t>(scan.limit + devices);
  PgParameters parameters;
  parameters.text(is_behind ? scan.after->device : scan.devices.first)
      .text(scan.devices.last.value_or(""))
      .integer(static_cast<std::int64_t>(devices))
      .integer(static_cast<std::int64_t>(scan.carry))
      .integer(to_ms(scan.start))
      .integer(to_ms(scan.end))
      .integer(static_cast<std::int64_t>(scan.limit + 1))
      .integer(most);
  const std::size_t of_table = is_behind ? kScanBehind : kScanFrom;
  const std::size_t of_hypertable = is_behind ? kScanBehindOfHypertable : kScanFromOfHypertable;
  const auto answer = co_await asked.run(is_hypertable ? of_hypertable : of_table, parameters);
  if (!answer) co_return pass(answer);
  PageOfAnswer whole(scan, page);
  if (auto taken = whole.take(*answer); !taken) co_return taken;
  if (whole.fit(answer->rows() == most, is_one || page.looked_at < devices))
    co_return Result<void>();
  Scan one = scan;
  one.devices = DeviceRange::only(page.devices.front().id);
  one.after.reset();
  page.clear();
  co_return co_await read_one(asked, one, page);
}

template <typename Asked>
asio::awaitable<Result<void>> read(Asked& asked, const Scan& scan, bool is_hypertable,
                                   ScanPage& page) {
  page.clear();
  if (scan.after && scan.after->row) {
    // What is left of the device that the page before ended in.
    if (auto read = co_await read_one(asked, scan, page); !read) co_return read;
    if (!page.next && !scan.devices.is_one()) page.next = ScanPlace{scan.after->device};
    co_return Result<void>();
  }
  if (scan.after && scan.devices.is_one()) co_return Result<void>();
  if (scan.devices.is_one() && scan.carry == 0) co_return co_await read_one(asked, scan, page);
  co_return co_await read_many(asked, scan, is_hypertable, page);
}

// Whether it has to be known what the table is.
bool needs_devices(const Scan& scan) {
  return !scan.devices.is_one() || scan.carry > 0;
}

void check_scan(const Scan& scan) {
  CHECK(scan.limit > scan.carry && scan.limit <= kLargestPage);
  CHECK(scan.order == RowOrder::ascending || !needs_devices(scan));
}

StoredUpTo stored_in(const PgResult& answer) {
  StoredUpTo positions;
  for (int i = 0; i < answer.rows(); ++i) {
    positions[static_cast<PartitionId>(answer.integer(i, 0))] = answer.integer(i, 1);
  }
  return positions;
}

}  // namespace

class PostgresRowReader::View final : public RowView {
 public:
  View(std::unique_ptr<PgPool::Transaction> transaction, bool is_hypertable,
       const std::string& topic)
      : transaction_(std::move(transaction)), is_hypertable_(is_hypertable), topic_(topic) {}

  asio::awaitable<Result<void>> scan(const Scan& scan, ScanPage& page) override {
    check_scan(scan);
    return read(*transaction_, scan, is_hypertable_, page);
  }
  asio::awaitable<Result<std::optional<OutcomeSummary>>> outcomes(
      const std::string& device) override {
    const auto answer = co_await transaction_->run(kOutcomes, PgParameters().text(device));
    if (!answer) co_return pass(answer);
    if (answer->rows() == 0) co_return std::optional<OutcomeSummary>();
    co_return outcomes_of(*answer, 0);
  }
  asio::awaitable<Result<StoredUpTo>> stored_up_to() override {
    const auto answer = co_await transaction_->run(kPositions, PgParameters().text(topic_));
    if (!answer) co_return pass(answer);
    co_return stored_in(*answer);
  }

 private:
  const std::unique_ptr<PgPool::Transaction> transaction_;
  const bool is_hypertable_;
  const std::string& topic_;
};

PostgresRowReader::PostgresRowReader(asio::io_context& context, PgPoolOptions options,
                                     std::string topic)
    : pool_(context, with_statements(std::move(options))), topic_(std::move(topic)) {}

asio::awaitable<Result<void>> PostgresRowReader::scan(const Scan& scan, ScanPage& page) {
  check_scan(scan);
  bool is_hypertable = false;
  if (needs_devices(scan)) {
    const auto found = co_await this->is_hypertable();
    if (!found) co_return pass(found);
    is_hypertable = *found;
  }
  co_return co_await read(pool_, scan, is_hypertable, page);
}

asio::awaitable<Result<std::unique_ptr<RowView>>> PostgresRowReader::view(
    const DeviceRange& devices) {
  bool is_hypertable = false;
  if (!devices.is_one()) {
    const auto found = co_await this->is_hypertable();
    if (!found) co_return pass(found);
    is_hypertable = *found;
  }
  auto transaction = co_await pool_.begin();
  if (!transaction) co_return pass(transaction);
  co_return std::unique_ptr<RowView>(
      std::make_unique<View>(std::move(*transaction), is_hypertable, topic_));
}

asio::awaitable<Result<bool>> PostgresRowReader::is_hypertable() {
  if (!is_hypertable_) {
    const auto answer = co_await pool_.run(kHypertable, PgParameters());
    if (!answer) co_return pass(answer);
    is_hypertable_ = answer->integer(0, 0) != 0;
  }
  co_return *is_hypertable_;
}

asio::awaitable<Result<void>> PostgresRowReader::check() {
  const PgPoolState state = pool_.state();
  if (state.open > 0 && state.idle == 0) {  // all are busy, with what is answered or is not
    if (state.silence.empty()) co_return Result<void>();
    co_return fail(ErrorKind::retry_later, "{}", state.silence);
  }
  const auto answer = co_await pool_.run(kFault, PgParameters(), kPatienceOfCheck);
  if (!answer) co_return pass(answer);
  is_hypertable_.reset();  // it may have become one
  if (auto checked = check_layout(*answer); !checked) co_return checked;
  // The catalog answers while a lock keeps everybody from the rows.
  const auto touched = co_await pool_.run(kTouch, PgParameters(), kPatienceWithLocks);
  if (!touched) co_return pass(touched);
  co_return Result<void>();
}

asio::awaitable<Result<StoredUpTo>> PostgresRowReader::stored_up_to() {
  const auto answer = co_await pool_.run(kPositions, PgParameters().text(topic_));
  if (!answer) co_return pass(answer);
  co_return stored_in(*answer);
}

}  // namespace dwell
