#include "sqlite/sqlite_row_reader.h"

#include <algorithm>

#include "base/check.h"
#include "base/printable.h"
#include "sqlite/open_reader.h"
#include "sqlite/stored_totals.h"

namespace dwell {
namespace {

// The devices one page of a scan may look at: what bounds the time it takes.
constexpr std::size_t kMostDevicesLookedAt = 20'000;

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

// Puts rows from `first` on, read in key order (timestamp, type), up or down, into row order: only
// those of one millisecond, two at most, can stand wrong.
template <typename Before>
void order_last_millisecond(std::vector<Row>& rows, std::size_t first, Before before) {
  for (auto i = rows.size(); i > first + 1 && rows[i - 1].timestamp == rows[i - 2].timestamp; --i) {
    if (before(rows[i - 1], rows[i - 2])) std::swap(rows[i - 1], rows[i - 2]);
  }
}

bool comes_after(const Row& a, const Row& b) {
  return comes_before(b, a);
}

}  // namespace

// A read transaction, from the first question on.
class SqliteRowReader::View final : public RowView {
 public:
  explicit View(SqliteRowReader& reader) : reader_(reader) {}
  ~View() override { (void)reader_.database_->execute("COMMIT"); }

  boost::asio::awaitable<Result<void>> scan(const Scan& scan, ScanPage& page) override {
    co_return reader_.read(scan, page);
  }
  boost::asio::awaitable<Result<std::optional<OutcomeSummary>>> outcomes(
      const std::string& device) override {
    co_return reader_.outcomes(device);
  }
  boost::asio::awaitable<Result<StoredUpTo>> stored_up_to() override {
    co_return reader_.stored_up_to();
  }

 private:
  SqliteRowReader& reader_;
};

Result<std::unique_ptr<SqliteRowReader>> SqliteRowReader::open(const std::string& path,
                                                               DatabaseOptions options) {
  auto database = open_to_read(path, std::move(options));
  if (!database) return pass(database);
  std::unique_ptr<SqliteRowReader> reader(new SqliteRowReader(std::move(*database)));
  if (auto prepared = reader->prepare(); !prepared) return pass(prepared);
  return reader;
}

Result<void> SqliteRowReader::prepare() {
  const std::pair<Statement*, std::string_view> all[] = {
      // The device by its name: a statement of its own would be a second read transaction.
      {&rows_up_,
       "SELECT timestamp, rank, type, seq FROM event "
       "WHERE device = (SELECT id FROM device WHERE name = ?) AND timestamp >= ? "
       "ORDER BY timestamp, type"},
      {&rows_down_,
       "SELECT timestamp, rank, type, seq FROM event "
       "WHERE device = (SELECT id FROM device WHERE name = ?) AND timestamp <= ? "
       "ORDER BY timestamp DESC, type DESC"},
      {&state_, "SELECT state FROM device WHERE name = ?"},
      {&devices_from_, "SELECT name FROM device WHERE name >= ? ORDER BY name"},
      {&devices_behind_, "SELECT name FROM device WHERE name > ? ORDER BY name"},
  };
  for (const auto& [statement, sql] : all) {
    auto prepared = database_->prepare(sql);
    if (!prepared) return pass(prepared);
    *statement = std::move(*prepared);
  }
  return {};
}

boost::asio::awaitable<Result<void>> SqliteRowReader::scan(const Scan& scan, ScanPage& page) {
  // One statement is one moment.
  if (scan.devices.is_one() && scan.carry == 0) co_return read(scan, page);
  co_return in_one_moment(*database_, [&] { return read(scan, page); });
}

boost::asio::awaitable<Result<std::unique_ptr<RowView>>> SqliteRowReader::view(
    const DeviceRange& /*devices*/) {
  if (auto begun = database_->execute("BEGIN"); !begun) co_return pass(begun);
  co_return std::unique_ptr<RowView>(std::make_unique<View>(*this));
}

Result<void> SqliteRowReader::read(const Scan& scan, ScanPage& page) {
  CHECK(scan.limit > scan.carry && scan.limit <= kLargestPage);
  CHECK(scan.order == RowOrder::ascending || (scan.devices.is_one() && scan.carry == 0));
  page.clear();
  return scan.devices.is_one() ? read_one(scan, page) : read_many(scan, page);
}

Result<void> SqliteRowReader::read_one(const Scan& scan, ScanPage& page) {
  const std::string& device = scan.devices.first;
  page.looked_at = 1;
  std::optional<Row> after;
  if (scan.after) after = scan.after->row;
  if (scan.after && !after) return {};
  if (!after) {
    if (auto carried = carry(scan, device, page); !carried) return carried;
  }
  const std::size_t carried = page.rows.size();
  auto has_more = rows(scan, device, after, scan.limit - carried, page);
  if (!has_more) return pass(has_more);
  if (!page.rows.empty()) page.devices.push_back({device, carried, page.rows.size()});
  if (*has_more) page.next = ScanPlace{device, page.rows.back()};
  return {};
}

Result<void> SqliteRowReader::read_many(const Scan& scan, ScanPage& page) {
  std::string bound = scan.devices.first;
  bool is_behind = scan.after.has_value();
  if (scan.after) {
    bound = scan.after->device;
    if (scan.after->row) {  // what is left of the device that the page before ended in
      auto has_more = rows(scan, bound, scan.after->row, scan.limit, page);
      if (!has_more) return pass(has_more);
      if (!page.rows.empty()) page.devices.push_back({bound, 0, page.rows.size()});
      if (*has_more) page.next = ScanPlace{bound, page.rows.back()};
      if (*has_more) return {};
    }
  }
  Statement& names = is_behind ? devices_behind_ : devices_from_;
  names.bind_text(1, bound);
  for (;;) {
    auto found = names.step();
    if (!found) return pass(found);
    if (!*found) return {};
    const std::string device(names.bytes(0));
    if (scan.devices.last && device > *scan.devices.last) break;
    const std::size_t begin = page.rows.size();
    const bool has_room = begin + scan.carry < scan.limit;
    if (!has_room || page.looked_at == kMostDevicesLookedAt) {
      page.next = ScanPlace{bound};
      break;
    }
    ++page.looked_at;
    Result<bool> has_more = false;
    if (auto carried = carry(scan, device, page); !carried) has_more = pass(carried);
    const std::size_t carried = page.rows.size() - begin;
    if (has_more) {
      has_more = rows(scan, device, std::nullopt, scan.limit - page.rows.size(), page);
    }
    if (!has_more) {
      names.reset();
      return pass(has_more);
    }
    if (page.rows.size() > begin) page.devices.push_back({device, carried, page.rows.size()});
    bound = device;
    if (*has_more) {
      page.next = ScanPlace{device, page.rows.back()};
      break;
    }
  }
  names.reset();
  return {};
}

Result<void> SqliteRowReader::carry(const Scan& scan, const std::string& device, ScanPage& page) {
  if (scan.carry == 0) return {};
  Scan back;
  back.end = scan.start - Milliseconds(1);
  back.order = RowOrder::descending;
  auto read = rows(back, device, std::nullopt, scan.carry, page);
  if (!read) return pass(read);
  return {};
}

Result<bool> SqliteRowReader::rows(const Scan& scan, const std::string& device,
                                   const std::optional<Row>& after, std::size_t most,
                                   ScanPage& page) {
  const bool is_up = scan.order == RowOrder::ascending;
  const auto before = is_up ? comes_before : comes_after;
  auto start = scan.start;
  auto end = scan.end;
  if (after && is_up) start = std::max(start, after->timestamp);
  if (after && !is_up) end = std::min(end, after->timestamp);
  if (end < start) return false;
  std::vector<Row>& rows = page.rows;
  const std::size_t first = rows.size();
  rows.reserve(first + std::min<std::size_t>(most + 1, 1'024));

  Statement& statement = is_up ? rows_up_ : rows_down_;
  statement.bind_text(1, device);
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
    if (rows.size() > first + most && row.timestamp != rows.back().timestamp) break;
    if (after && !before(*after, row)) continue;
    rows.push_back(row);
    order_last_millisecond(rows, first, before);
  }
  statement.reset();
  const bool has_more = rows.size() > first + most;
  if (has_more) rows.resize(first + most);
  return has_more;
}

Result<std::optional<OutcomeSummary>> SqliteRowReader::outcomes(const std::string& device) {
  state_.bind_text(1, device);
  auto found = state_.step();
  if (!found) return pass(found);
  if (!*found) return std::optional<OutcomeSummary>();
  auto outcomes = decode_summary(state_.bytes(0));
  state_.reset();
  if (!outcomes) {
    return fail(ErrorKind::fatal, "device {}: {}", printable(device), outcomes.error().message);
  }
  return std::optional(*outcomes);
}

Result<StoredUpTo> SqliteRowReader::stored_up_to() {
  Totals totals{};
  StoreCounts counts;
  if (auto loaded = load_totals(*database_, totals, counts); !loaded) return pass(loaded);
  const auto changes = totals[Outcome::accepted] + totals.promoted + totals.retracted;
  return StoredUpTo{{0, static_cast<Offset>(changes)}};
}

}  // namespace dwell
