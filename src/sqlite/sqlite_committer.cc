#include "sqlite/sqlite_committer.h"

#include <algorithm>
#include <tuple>

#include "base/check.h"
#include "base/printable.h"
#include "sqlite/migrations.h"
#include "sqlite/stored_facts.h"

namespace dwell {
namespace {

// What a kept record costs besides its bytes, so that a flood of empty ones is bounded too.
constexpr std::uint64_t kRejectOverheadBytes = 128;

// For each record that comes, at most so many go by their age. A clock that is wrong for a moment,
// ahead or behind, costs no more than that; one that is right catches up.
constexpr std::uint64_t kDroppedByAge = 2;

Failure changed_by_others(const std::string& path, std::string_view device) {
  return fail(ErrorKind::fatal,
              "{}: another program has changed it: device {} is not as it was committed; stop that "
              "program, and restore it from a backup",
              path, printable(device));
}

std::uint64_t cost_of(std::size_t bytes) {
  return bytes + kRejectOverheadBytes;
}

}  // namespace

struct SqliteCommitter::Statements {
  Statement insert_device, update_state;
  Statement insert_row, delete_row, rows_until;
  Statement insert_reject, oldest_reject, delete_reject;
  Statement put_total, put_ignored_type, put_position;

  Result<void> prepare(Database& database) {
    const std::pair<Statement*, std::string_view> all[] = {
        {&insert_device, "INSERT INTO device (id, name, state) VALUES (?, ?, ?)"},
        {&update_state, "UPDATE device SET state = ?2 WHERE id = ?1"},
        {&insert_row,
         "INSERT OR IGNORE INTO event (device, timestamp, type, rank, seq) VALUES (?, ?, ?, ?, ?)"},
        {&delete_row, "DELETE FROM event WHERE device = ? AND timestamp = ? AND type = ?"},
        {&rows_until,
         "SELECT timestamp, type FROM event WHERE device = ? AND timestamp <= ? "
         "ORDER BY timestamp DESC, rank DESC LIMIT 2"},
        {&insert_reject,
         "INSERT INTO reject (received, reason, source, offset, bytes, truncated_from) "
         "VALUES (?, ?, ?, ?, ?, ?)"},
        {&oldest_reject, "SELECT id, received, length(bytes) FROM reject ORDER BY id LIMIT 1"},
        {&delete_reject, "DELETE FROM reject WHERE id = ?"},
        {&put_total, "INSERT OR REPLACE INTO total (name, count) VALUES (?, ?)"},
        {&put_ignored_type,
         "INSERT OR REPLACE INTO ignored_type (position, type, count) VALUES (?, ?, ?)"},
        {&put_position, "INSERT OR REPLACE INTO input (source, next, mark) VALUES (?, ?, ?)"},
    };
    for (const auto& [statement, sql] : all) {
      auto prepared = database.prepare(sql);
      if (!prepared) return pass(prepared);
      *statement = std::move(*prepared);
    }
    return {};
  }
};

SqliteCommitter::SqliteCommitter(std::string path, std::optional<Order> order,
                                 const SqliteCommitterOptions& options, DatabaseClaim claim)
    : path_(std::move(path)), order_(order), options_(options), claim_(std::move(claim)) {
  options_.database.name = path_;
}

SqliteCommitter::~SqliteCommitter() = default;

Result<std::unique_ptr<SqliteCommitter>> SqliteCommitter::open(
    const std::string& path, std::optional<Order> order, const SqliteCommitterOptions& options) {
  auto claim = DatabaseClaim::take(path);
  if (!claim) return pass(claim);
  std::unique_ptr<SqliteCommitter> committer(
      new SqliteCommitter(path, order, options, std::move(*claim)));
  auto connected = committer->connect();
  while (!connected && connected.error().kind == ErrorKind::retry_later && options.tries_again &&
         options.tries_again(connected.error())) {
    connected = committer->connect();
  }
  if (!connected) return pass(connected);
  return committer;
}

Result<void> SqliteCommitter::connect() {
  // SQLite would make a new file in the place of one that was removed.
  if (auto checked = claim_.check(); !checked) return checked;
  auto database = Database::open(claim_.path(), options_.database);
  if (!database) return pass(database);
  database_ = std::move(*database);
  statements_ = std::make_unique<Statements>();
  auto ready = check_name(*database_, claim_.path());
  if (ready) ready = migrate(*database_);
  if (ready) ready = check_order();
  if (ready) ready = remember_name(*database_, claim_.path());
  if (ready) ready = database_->keep_log();
  if (ready) ready = statements_->prepare(*database_);
  if (ready) ready = windows_.prepare(*database_);
  if (ready) {
    claim_.hold_log();
  } else {
    disconnect();
  }
  return ready;
}

void SqliteCommitter::disconnect() {
  statements_.reset();
  windows_ = {};
  database_.reset();
  claim_.release_log();  // the last connection removes it
}

Result<void> SqliteCommitter::check_order() {
  auto stored = load_order(*database_);
  if (!stored) return pass(stored);
  if (!order_) order_ = stored->value_or(options_.order_of_new);
  if (!*stored) {
    return database_->execute(
        fmt::format("INSERT INTO meta (name, value) VALUES ('order', '{}')", name(*order_)));
  }
  if (**stored != *order_) {
    return fail(ErrorKind::invalid,
                "{}: was made with order = {} and cannot go on with order = {}; give another --db "
                "and replay into it, or keep the order",
                path_, name(**stored), name(*order_));
  }
  return {};
}

Result<void> SqliteCommitter::restore(std::span<Partition> partitions) {
  CHECK(partitions.size() == 1);
  Fold& fold = partitions[0].fold;
  CHECK(fold.device_count() == 0);
  if (!database_) {
    if (auto connected = connect(); !connected) return pass(connected);
  }
  if (auto loaded = load_devices(fold); !loaded) return pass(loaded);
  if (auto loaded = windows_.load(*database_, fold); !loaded) {
    return fail(loaded.error().kind, "{}: {}; restore it from a backup", path_,
                loaded.error().message);
  }
  Totals totals;
  counts_ = {};
  if (auto loaded = load_totals(*database_, totals, counts_); !loaded) return pass(loaded);
  fold.load_totals(totals);
  auto positions = load_positions();
  if (!positions) return pass(positions);
  partitions[0].positions = std::move(*positions);
  return {};
}

Result<void> SqliteCommitter::load_devices(Fold& fold) {
  auto statement = database_->prepare("SELECT id, name, state FROM device ORDER BY id");
  if (!statement) return pass(statement);
  for (;;) {
    auto row = statement->step();
    if (!row) return pass(row);
    if (!*row) return {};
    auto loaded = fold.load_device(statement->bytes(1), statement->bytes(2));
    const bool is_next = loaded && statement->integer(0) == std::int64_t{*loaded} + 1;
    if (!is_next) {
      return fail(ErrorKind::fatal, "{}: {}; restore it from a backup", path_,
                  loaded ? "the device numbers have a gap" : loaded.error().message);
    }
  }
}

Result<std::vector<Position>> SqliteCommitter::load_positions() {
  auto statement = database_->prepare("SELECT source, next, mark FROM input");
  if (!statement) return pass(statement);
  std::vector<Position> positions;
  for (;;) {
    auto row = statement->step();
    if (!row) return pass(row);
    if (!*row) return positions;
    positions.push_back({std::string(statement->bytes(0)), statement->integer(1),
                         std::string(statement->bytes(2))});
  }
}

Result<void> SqliteCommitter::commit(std::span<const Partition> partitions) {
  CHECK(database_ && partitions.size() == 1);
  const auto& [id, fold, positions, unit] = partitions[0];
  known_late_.clear();
  last_ = {};
  if (auto checked = claim_.check(); !checked) return checked;
  if (!unit) return {};
  StoreCounts counts = counts_;
  counts.late += unit->late;
  auto committed = write(*unit, fold, counts);
  if (committed) {
    last_.rejects_kept = unit->rejected.size() - known_late_.size();
    last_.rejects_dropped = counts.rejects_dropped - counts_.rejects_dropped;
    counts_ = counts;
    windows_.committed();
  } else {
    windows_.rolled_back();
  }
  if (!committed && committed.error().kind == ErrorKind::unknown_outcome) {
    disconnect();
  }
  return committed;
}

// In one transaction, which ends before a broken connection is closed.
Result<void> SqliteCommitter::write(const Unit& unit, const Fold& after, StoreCounts& counts) {
  auto transaction = Transaction::begin(*database_);
  if (!transaction) return pass(transaction);
  auto written = write_states(unit, after);
  if (written) written = write_rows(unit, counts);
  if (written) written = find_known_late(unit, counts);
  if (written) written = write_rejects(unit, counts);
  if (written) written = write_totals(unit.totals, counts);
  if (written) written = write_positions(unit);
  if (written) written = transaction->commit();
  return written;
}

Result<void> SqliteCommitter::write_states(const Unit& unit, const Fold& after) {
  state_order_.assign(unit.touched.begin(), unit.touched.end());
  std::sort(state_order_.begin(), state_order_.end());
  for (const DeviceIndex device : state_order_) {
    state_.clear();
    const auto newest = windows_.write(device, after);
    if (!newest) return pass(newest);
    after.encode_state(device, *newest, state_);
    const bool is_new = device >= unit.first_new;
    Statement& statement = is_new ? statements_->insert_device : statements_->update_state;
    statement.bind(1, std::int64_t{device} + 1);
    if (is_new) statement.bind_text(2, after.device_id(device));
    statement.bind_blob(is_new ? 3 : 2, state_);
    if (auto written = statement.run(); !written) return written;
    if (database_->changes() != 1) return changed_by_others(path_, after.device_id(device));
  }
  return {};
}

// Rows go in by key: neighbours meet the same page. Changes of one identity keep their order.
Result<void> SqliteCommitter::write_rows(const Unit& unit, StoreCounts& counts) {
  rows_ = unit.changes;
  std::sort(rows_.begin(), rows_.end(), [](const CleanedRecord& a, const CleanedRecord& b) {
    return std::tie(a.device, a.change.timestamp, a.change.type, a.change.seq) <
           std::tie(b.device, b.change.timestamp, b.change.type, b.change.seq);
  });
  for (const auto& [device, record, change] : rows_) {
    const bool is_insert = change.operation == Operation::insert;
    Statement& statement = is_insert ? statements_->insert_row : statements_->delete_row;
    statement.bind(1, std::int64_t{device} + 1);
    statement.bind(2, to_ms(change.timestamp));
    statement.bind(3, static_cast<std::int64_t>(change.type));
    if (is_insert) {
      statement.bind(4, change.rank);
      statement.bind(5, change.seq);
    }
    if (auto written = statement.run(); !written) return written;
    const std::uint64_t changed = database_->changes();
    if (is_insert) {
      counts.rows += changed;
      counts.absorbed += 1 - changed;
    } else {
      counts.rows -= changed;
      counts.faults += 1 - changed;
    }
  }
  return {};
}

// What lies behind a device's window never changes again, so it is the same whatever the batches.
Result<void> SqliteCommitter::find_known_late(const Unit& unit, StoreCounts& counts) {
  known_late_.clear();
  Statement& rows = statements_->rows_until;
  for (const LateEvent& event : unit.too_late) {
    rows.bind(1, std::int64_t{event.device} + 1);
    rows.bind(2, to_ms(event.timestamp));
    bool is_known = false;
    for (bool is_last = true;; is_last = false) {
      auto row = rows.step();
      if (!row) return pass(row);
      if (!*row) break;
      const bool is_same_type = rows.integer(1) == static_cast<std::int64_t>(event.type);
      const bool is_same_time = rows.integer(0) == to_ms(event.timestamp);
      is_known |= is_same_type && (is_last || is_same_time);
    }
    if (is_known) known_late_.push_back(event.record);
  }
  counts.known_late += known_late_.size();
  return {};
}

Result<void> SqliteCommitter::write_rejects(const Unit& unit, StoreCounts& counts) {
  if (unit.rejected.size() == known_late_.size()) return {};
  auto known = known_late_.begin();
  for (const std::uint32_t i : unit.rejected) {
    if (known != known_late_.end() && *known == i) {
      ++known;
      continue;
    }
    const Record& record = unit.records[i];
    Statement& statement = statements_->insert_reject;
    statement.bind(1, to_ms(record.now));
    statement.bind_text(2, name(unit.outcomes[i]));
    statement.bind_text(3, unit.positions[record.source].source);
    statement.bind(4, record.offset);
    statement.bind_blob(5, record.bytes);
    statement.bind(6, record.truncated_from);
    if (auto written = statement.run(); !written) return written;
    counts.reject_bytes += cost_of(record.bytes.size());
  }
  return trim_rejects(unit.records.back().now,
                      kDroppedByAge * (unit.rejected.size() - known_late_.size()), counts);
}

Result<void> SqliteCommitter::trim_rejects(Timestamp now, std::uint64_t most_by_age,
                                           StoreCounts& counts) {
  for (;;) {
    auto row = statements_->oldest_reject.step();
    if (!row) return pass(row);
    if (!*row) return {};
    const std::int64_t id = statements_->oldest_reject.integer(0);
    const Timestamp received = from_ms(statements_->oldest_reject.integer(1));
    const auto cost = cost_of(static_cast<std::size_t>(statements_->oldest_reject.integer(2)));
    statements_->oldest_reject.reset();
    const bool is_over = counts.reject_bytes > options_.rejects_max_bytes;
    const bool is_old = std::chrono::abs(now - received) > options_.rejects_max_age;
    if (!is_over && !(is_old && most_by_age-- > 0)) return {};
    statements_->delete_reject.bind(1, id);
    if (auto deleted = statements_->delete_reject.run(); !deleted) return deleted;
    counts.reject_bytes -= cost;
    ++counts.rejects_dropped;
  }
}

Result<void> SqliteCommitter::write_totals(const Totals& totals, const StoreCounts& counts) {
  Result<void> written;
  each_total(totals, counts, [&](std::string_view name, std::uint64_t count) {
    if (!written) return;
    statements_->put_total.bind_text(1, name);
    statements_->put_total.bind(2, count);
    written = statements_->put_total.run();
  });
  if (!written) return written;
  Statement& put_type = statements_->put_ignored_type;
  for (std::size_t i = 0; i < totals.ignored_types.size(); ++i) {
    put_type.bind(1, static_cast<std::int64_t>(i));
    put_type.bind_text(2, totals.ignored_types[i].type);
    put_type.bind(3, totals.ignored_types[i].count);
    if (auto written = put_type.run(); !written) return written;
  }
  return {};
}

Result<void> SqliteCommitter::write_positions(const Unit& unit) {
  for (const Position& position : unit.positions) {
    statements_->put_position.bind_text(1, position.source);
    statements_->put_position.bind(2, position.next);
    statements_->put_position.bind_blob(3, position.mark);
    if (auto written = statements_->put_position.run(); !written) return written;
  }
  return {};
}

}  // namespace dwell
