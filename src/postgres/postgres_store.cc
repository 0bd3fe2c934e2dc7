#include "postgres/postgres_store.h"

#include <algorithm>
#include <unordered_map>

#include "base/check.h"
#include "postgres/migrations.h"

namespace dwell {
namespace {

constexpr std::size_t kCopyPiece = 256 << 10;  // bytes handed to the connection at a time
constexpr Offset kNoOffset = -1;

// COPY in the binary format: section "Binary Format" of COPY in the manual of PostgreSQL.
constexpr std::string_view kCopyHead("PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19);
constexpr std::string_view kCopyTail("\377\377", 2);

void put_field(std::string& out, std::string_view bytes) {
  put_big_endian(out, bytes.size(), 4);
  out += bytes;
}

void put_field(std::string& out, std::uint64_t number) {
  put_big_endian(out, 8, 4);
  put_big_endian(out, number, 8);
}

// device_id, event_type, timestamp, rank, seq
void put_row(std::string& out, const RowChange& change) {
  put_big_endian(out, 5, 2);
  put_field(out, change.device);
  put_field(out, wire_name(change.type));
  put_field(out, static_cast<std::uint64_t>(to_ms(change.timestamp)));
  put_field(out, change.rank);
  if (change.seq) {
    put_field(out, *change.seq);
  } else {
    put_big_endian(out, 0xffffffff, 4);
  }
}

// What tells a stored row from all others.
struct Identity {
  std::string_view device;
  std::int64_t timestamp;
  EventType type;

  explicit Identity(const RowChange& change)
      : device(change.device), timestamp(to_ms(change.timestamp)), type(change.type) {}
  Identity(std::string_view id, std::int64_t ms, std::string_view name)
      : device(id),
        timestamp(ms),
        type(name == wire_name(EventType::enter) ? EventType::enter : EventType::exit) {}

  friend bool operator==(const Identity&, const Identity&) = default;
};

struct IdentityHash {
  std::size_t operator()(const Identity& identity) const {
    const auto time =
        2 * static_cast<std::size_t>(identity.timestamp) + static_cast<std::size_t>(identity.type);
    return std::hash<std::string_view>()(identity.device) ^ time * 0x9e3779b97f4a7c15;
  }
};

}  // namespace

Result<std::unique_ptr<PostgresStore>> PostgresStore::open(std::unique_ptr<PgConnection> database) {
  if (auto checked = check_schema(*database); !checked) return pass(checked);
  return std::unique_ptr<PostgresStore>(new PostgresStore(std::move(database)));
}

PostgresStore::PostgresStore(std::unique_ptr<PgConnection> database)
    : database_(std::move(database)) {}

Result<std::vector<StorePosition>> PostgresStore::positions(std::span<const StorePosition> starts) {
  std::vector<StorePosition> found;
  for (const StorePosition& start : starts) {
    const auto begun = database_->run(
        "INSERT INTO dwell_position (topic, partition, cluster, next) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT DO NOTHING",
        PgParameters()
            .text(start.topic)
            .integer(std::int64_t{start.partition})
            .text(start.cluster)
            .integer(start.next));
    if (!begun) return Failure(begun.error());
    auto row = database_->run(
        "SELECT cluster, next, last, last_hash FROM dwell_position "
        "WHERE topic = $1 AND partition = $2",
        PgParameters().text(start.topic).integer(std::int64_t{start.partition}));
    if (!row) return pass(row);
    if (row->rows() != 1) {
      return fail(ErrorKind::lost_ownership, "database {}: the position of {}/{} was deleted",
                  database_->name(), start.topic, start.partition);
    }
    StorePosition position{start.partition, std::string(row->bytes(0, 0)), start.topic,
                           row->integer(0, 1)};
    if (!row->is_null(0, 2)) {
      StorePosition::Last last{row->integer(0, 2), {}};
      const auto hash = row->bytes(0, 3);
      std::copy_n(hash.begin(), std::min(hash.size(), last.hash.size()), last.hash.begin());
      position.last = last;
    }
    next_[start.partition] = position.next;
    found.push_back(std::move(position));
  }
  return found;
}

Result<void> PostgresStore::commit(std::span<const RowSlice> slices) {
  if (slices.empty()) return {};
  if (auto written = write(slices); !written) {
    (void)database_->execute("ROLLBACK");  // others may go on at once
    return written;
  }
  if (auto committed = database_->commit(); !committed) return committed;
  for (const RowSlice& slice : slices) next_[slice.position.partition] = slice.position.next;
  return {};
}

Result<void> PostgresStore::write(std::span<const RowSlice> slices) {
  counts_.assign(slices.size(), {});
  inserts_.clear();
  auto begun = database_->execute("BEGIN");
  if (!begun) return pass(begun);
  if (auto held = hold_positions(slices); !held) return held;
  if (auto retracted = retract(slices); !retracted) return retracted;
  if (auto inserted = insert_rows(); !inserted) return inserted;
  return count(slices);
}

// Holds the positions until the end of the transaction, if they are where this store left them.
Result<void> PostgresStore::hold_positions(std::span<const RowSlice> slices) {
  const std::string& topic = slices[0].position.topic;
  std::vector<std::int64_t> partitions;
  for (const RowSlice& slice : slices) partitions.push_back(slice.position.partition);
  auto held = database_->run(
      "SELECT partition, next FROM dwell_position WHERE topic = $1 AND partition = ANY($2) "
      "ORDER BY partition FOR UPDATE",
      PgParameters().text(topic).integers(partitions));
  if (!held) return pass(held);
  const auto is_where_it_was = [&](int row) {
    const auto known = next_.find(static_cast<PartitionId>(held->integer(row, 0)));
    return known != next_.end() && known->second == held->integer(row, 1);
  };
  for (int row = 0; row < held->rows(); ++row) {
    if (is_where_it_was(row)) continue;
    return fail(ErrorKind::lost_ownership, "database {}: another store has gone on with {}/{}",
                database_->name(), topic, held->integer(row, 0));
  }
  if (static_cast<std::size_t>(held->rows()) == slices.size()) return {};
  return fail(ErrorKind::lost_ownership, "database {}: positions of {} were deleted",
              database_->name(), topic);
}

// Deletes every row that has a retract, and finds out what is to be inserted.
Result<void> PostgresStore::retract(std::span<const RowSlice> slices) {
  struct Met {
    bool exists = false;
    Insert insert{};  // what made it exist again
  };
  std::unordered_map<Identity, Met, IdentityHash> retracted;
  std::vector<std::string_view> devices;
  std::vector<std::string_view> types;
  std::vector<std::int64_t> timestamps;
  for (const RowSlice& slice : slices) {
    for (const RowChange& change : slice.changes) {
      if (change.operation != Operation::retract) continue;
      if (!retracted.try_emplace(Identity(change)).second) continue;
      devices.push_back(change.device);
      types.push_back(wire_name(change.type));
      timestamps.push_back(to_ms(change.timestamp));
    }
  }
  if (!retracted.empty()) {
    auto deleted = database_->run(
        "DELETE FROM device_events_cleaned AS e "
        "USING unnest($1::text[], $2::text[], $3::bigint[]) AS r(device_id, event_type, timestamp) "
        "WHERE e.device_id = r.device_id AND e.timestamp = r.timestamp "
        "AND e.event_type = r.event_type RETURNING e.device_id, e.timestamp, e.event_type",
        PgParameters().texts(devices).texts(types).integers(timestamps));
    if (!deleted) return pass(deleted);
    for (int i = 0; i < deleted->rows(); ++i) {
      const auto met =
          retracted.find({deleted->bytes(i, 0), deleted->integer(i, 1), deleted->bytes(i, 2)});
      CHECK(met != retracted.end());
      met->second.exists = true;
    }
  }
  for (std::size_t i = 0; i < slices.size(); ++i) {
    Counts& counts = counts_[i];
    for (const RowChange& change : slices[i].changes) {
      const bool is_insert = change.operation == Operation::insert;
      ++(is_insert ? counts.inserts : counts.retracts);
      const auto met = retracted.empty() ? retracted.end() : retracted.find(Identity(change));
      if (met == retracted.end()) {
        inserts_.push_back({&change, i});
        continue;
      }
      Met& row = met->second;
      if (row.exists == is_insert) ++(is_insert ? counts.absorbed : counts.faults);
      if (row.exists != is_insert) row.insert = is_insert ? Insert{&change, i} : Insert{};
      row.exists = is_insert;
    }
  }
  for (const auto& [identity, row] : retracted) {
    if (row.insert.change) inserts_.push_back(row.insert);
  }
  return {};
}

Result<void> PostgresStore::insert_rows() {
  if (inserts_.empty()) return {};
  auto saved = database_->execute("SAVEPOINT copied");
  if (!saved) return pass(saved);
  auto copied = copy_rows(
      "COPY device_events_cleaned (device_id, event_type, timestamp, rank, seq) "
      "FROM STDIN (FORMAT binary)",
      inserts_);
  if (copied || !database_->was_unique_violation()) return copied;
  auto undone = database_->execute("ROLLBACK TO SAVEPOINT copied");
  if (!undone) return pass(undone);
  return insert_through_staging();
}

Result<void> PostgresStore::copy_rows(const std::string& sql, std::span<const Insert> inserts) {
  if (auto begun = database_->begin_copy(sql); !begun) return begun;
  buffer_ = kCopyHead;
  for (const Insert& insert : inserts) {
    put_row(buffer_, *insert.change);
    if (buffer_.size() < kCopyPiece) continue;
    if (auto put = database_->put_copy(buffer_); !put) return put;
    buffer_.clear();
  }
  buffer_ += kCopyTail;
  if (auto put = database_->put_copy(buffer_); !put) return put;
  return database_->end_copy();
}

// What is there already is left as it is and counted, slice by slice.
Result<void> PostgresStore::insert_through_staging() {
  std::stable_sort(inserts_.begin(), inserts_.end(),
                   [](const Insert& a, const Insert& b) { return a.slice < b.slice; });
  auto made = database_->execute(
      "CREATE TEMP TABLE IF NOT EXISTS dwell_staging (device_id text, event_type text, "
      "timestamp bigint, rank bigint, seq bigint) ON COMMIT DELETE ROWS");
  if (!made) return pass(made);
  for (auto first = inserts_.begin(); first != inserts_.end();) {
    const auto last = std::find_if(first, inserts_.end(),
                                   [&](const Insert& i) { return i.slice != first->slice; });
    auto staged = copy_rows(
        "COPY dwell_staging (device_id, event_type, timestamp, rank, seq) "
        "FROM STDIN (FORMAT binary)",
        {first, last});
    if (!staged) return staged;
    auto inserted = database_->execute(
        "INSERT INTO device_events_cleaned (device_id, event_type, timestamp, rank, seq) "
        "SELECT device_id, event_type, timestamp, rank, seq FROM dwell_staging "
        "ON CONFLICT DO NOTHING");
    if (!inserted) return pass(inserted);
    counts_[first->slice].absorbed += (last - first) - inserted->changed();
    auto emptied = database_->execute("TRUNCATE dwell_staging");
    if (!emptied) return pass(emptied);
    first = last;
  }
  return {};
}

Result<void> PostgresStore::count(std::span<const RowSlice> slices) {
  for (std::size_t i = 0; i < slices.size(); ++i) {
    const StorePosition& position = slices[i].position;
    const Counts& counts = counts_[i];
    PgParameters parameters;
    parameters.text(position.topic)
        .integer(std::int64_t{position.partition})
        .integer(position.next)
        .integer(position.last ? position.last->offset : kNoOffset);
    if (position.last) {
      parameters.bytes(
          {reinterpret_cast<const char*>(position.last->hash.data()), position.last->hash.size()});
    } else {
      parameters.bytes("");
    }
    parameters.integer(counts.inserts)
        .integer(counts.retracts)
        .integer(counts.absorbed)
        .integer(counts.faults)
        .integer(static_cast<std::int64_t>(slices[i].rejected));
    auto counted = database_->run(
        "UPDATE dwell_position SET next = $3, last = nullif($4::bigint, -1), "
        "last_hash = CASE WHEN $4 = -1 THEN NULL ELSE $5::bytea END, inserts = inserts + $6, "
        "retracts = retracts + $7, absorbed = absorbed + $8, faults = faults + $9, "
        "rejected = rejected + $10 WHERE topic = $1 AND partition = $2",
        parameters);
    if (!counted) return pass(counted);
  }
  return {};
}

Result<std::int64_t> count_positions(PgConnection& database, const std::string& topic) {
  auto counted = database.run("SELECT count(*) FROM dwell_position WHERE topic = $1",
                              PgParameters().text(topic));
  if (!counted) return pass(counted);
  return counted->integer(0, 0);
}

Result<void> forget_positions(PgConnection& database, const std::string& topic) {
  auto begun = database.execute("BEGIN");
  if (!begun) return pass(begun);
  auto forgotten =
      database.run("DELETE FROM dwell_position WHERE topic = $1", PgParameters().text(topic));
  if (!forgotten) return pass(forgotten);
  auto adopted = database.execute(
      "UPDATE dwell_fact SET value = (SELECT count(*) FROM device_events_cleaned) - "
      "(SELECT coalesce(sum(inserts - (retracts - faults) - absorbed), 0) FROM dwell_position) "
      "WHERE name = 'adopted_rows'");
  if (!adopted) return pass(adopted);
  return database.commit();
}

}  // namespace dwell
