#include "postgres/postgres_store.h"

#include <algorithm>
#include <unordered_map>

#include "base/check.h"
#include "postgres/migrations.h"
#include "postgres/positions.h"

namespace dwell {
namespace {

constexpr std::size_t kCopyPiece = 256 << 10;  // bytes handed to the connection at a time
constexpr Offset kNoOffset = -1;

// COPY in the binary format: section "Binary Format" of COPY in the manual of PostgreSQL.
constexpr std::string_view kCopyHead("PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19);
constexpr std::string_view kCopyTail("\377\377", 2);

// Whether somebody's trigger sees rows before they are inserted. TimescaleDB's own lets them be.
constexpr std::string_view kHasTrigger =
    "EXISTS (SELECT FROM pg_trigger WHERE tgrelid = to_regclass('device_events_cleaned') "
    "AND NOT tgisinternal AND tgname <> 'ts_insert_blocker' AND tgenabled <> 'D' "
    "AND tgtype & 7 = 7)::int";  // each row, before, insert

EventType type_of(std::string_view name) {
  return name == wire_name(EventType::enter) ? EventType::enter : EventType::exit;
}

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
    const auto row = begin_position(*database_, "dwell_position", start, "last, last_hash");
    if (!row) return pass(row);
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
  RowBatch batch;
  batch.fill(slices);
  return commit(batch);
}

Result<void> PostgresStore::commit(const RowBatch& batch) {
  if (batch.parts().empty()) return {};
  if (auto written = write(batch); !written) {
    (void)database_->execute("ROLLBACK");  // others may go on at once
    return written;
  }
  if (auto committed = database_->commit(); !committed) return committed;
  for (const RowBatch::Part& part : batch.parts()) {
    next_[part.position.partition] = part.position.next;
  }
  last_ = {};
  for (const RowCounts& counts : counts_) last_ += counts;
  return {};
}

Result<void> PostgresStore::write(const RowBatch& batch) {
  counts_.clear();
  for (const RowBatch::Part& part : batch.parts()) {
    counts_.push_back(
        {static_cast<std::uint64_t>(part.inserts), static_cast<std::uint64_t>(part.retracts)});
  }
  late_rows_.assign(batch.parts().size(), {});
  // Only what is about rows may be refused for a row's sake.
  const auto not_of_rows = [](Result<void> done) -> Result<void> {
    if (!done && done.error().kind == ErrorKind::fatal) done.error().kind = ErrorKind::retry_later;
    return done;
  };
  auto begun = database_->execute("BEGIN");
  if (!begun) return pass(begun);
  if (auto held = not_of_rows(hold_positions(batch)); !held) return held;
  if (auto retracted = retract(batch); !retracted) return retracted;
  if (auto inserted = insert_rows(batch); !inserted) return inserted;
  return not_of_rows(count(batch));
}

// Holds the positions until the end of the transaction, if they are where this store left them.
Result<void> PostgresStore::hold_positions(const RowBatch& batch) {
  const std::string& topic = batch.parts()[0].position.topic;
  std::vector<std::int64_t> partitions;
  for (const RowBatch::Part& part : batch.parts()) partitions.push_back(part.position.partition);
  auto held =
      database_->run(fmt::format("SELECT partition, next, {} FROM dwell_position WHERE topic = $1 "
                                 "AND partition = ANY($2) ORDER BY partition FOR UPDATE",
                                 kHasTrigger),
                     PgParameters().text(topic).integers(partitions));
  if (!held) return pass(held);
  has_trigger_ = held->rows() > 0 && held->integer(0, 2) != 0;
  const auto is_where_it_was = [&](int row) {
    const auto known = next_.find(static_cast<PartitionId>(held->integer(row, 0)));
    return known != next_.end() && known->second == held->integer(row, 1);
  };
  for (int row = 0; row < held->rows(); ++row) {
    if (is_where_it_was(row)) continue;
    return fail(ErrorKind::lost_ownership, "database {}: another store has gone on with {}/{}",
                database_->name(), topic, held->integer(row, 0));
  }
  if (static_cast<std::size_t>(held->rows()) == partitions.size()) return {};
  return fail(ErrorKind::lost_ownership, "database {}: positions of {} were deleted",
              database_->name(), topic);
}

// Deletes every row that has a retract, and finds out which of them are inserted again.
Result<void> PostgresStore::retract(const RowBatch& batch) {
  if (batch.retracted_rows().empty()) return {};
  struct Met {
    bool exists = false;
    const RowBatch::RetractedRow* insert = nullptr;  // what made it exist again
  };
  std::unordered_map<RowIdentity, Met, RowIdentityHash> rows;
  std::vector<std::string_view> devices;
  std::vector<std::string_view> types;
  std::vector<std::int64_t> timestamps;
  for (const auto& [change, part] : batch.retracted_rows()) {
    if (!rows.try_emplace(RowIdentity(change)).second) continue;
    devices.push_back(change.device);
    types.push_back(wire_name(change.type));
    timestamps.push_back(to_ms(change.timestamp));
  }
  const auto edge = retention_edge();  // before the table, as upkeep does: no deadlock
  if (!edge) return pass(edge);
  auto deleted = database_->run(
      "DELETE FROM device_events_cleaned AS e "
      "USING unnest($1::text[], $2::text[], $3::bigint[]) AS r(device_id, event_type, timestamp) "
      "WHERE e.device_id = r.device_id AND e.timestamp = r.timestamp "
      "AND e.event_type = r.event_type "
      // Again, for compressed chunks: only what these tell apart is decompressed.
      "AND e.device_id = ANY($1::text[]) AND e.timestamp = ANY($3::bigint[]) "
      "RETURNING e.device_id, e.timestamp, e.event_type",
      PgParameters().texts(devices).texts(types).integers(timestamps));
  if (!deleted) return pass(deleted);
  for (int i = 0; i < deleted->rows(); ++i) {
    const auto met =
        rows.find({deleted->bytes(i, 0), deleted->integer(i, 1), type_of(deleted->bytes(i, 2))});
    CHECK(met != rows.end());
    met->second.exists = true;
  }
  for (const RowBatch::RetractedRow& contested : batch.retracted_rows()) {
    const bool is_insert = contested.change.operation == Operation::insert;
    Met& row = rows.at(RowIdentity(contested.change));
    RowCounts& counts = counts_[contested.part];
    if (row.exists == is_insert) {
      const bool is_expired = !is_insert && to_ms(contested.change.timestamp) < *edge;
      ++(is_insert ? counts.absorbed : is_expired ? counts.expired : counts.faults);
    } else {
      row.insert = is_insert ? &contested : nullptr;
    }
    row.exists = is_insert;
  }
  for (const auto& [identity, row] : rows) {
    if (!row.insert) continue;
    LateRows& late = late_rows_[row.insert->part];
    put_copy_row(late.copy, row.insert->change);
    ++late.count;
  }
  return {};
}

// Rows below it may have been dropped for their age; it stays there until the transaction ends.
Result<std::int64_t> PostgresStore::retention_edge() {
  auto edge = database_->run(
      "SELECT value::bigint FROM dwell_fact WHERE name = 'retention_edge' FOR SHARE", {});
  if (!edge) return pass(edge);
  return edge->rows() == 0 ? 0 : edge->integer(0, 0);
}

Result<void> PostgresStore::insert_rows(const RowBatch& batch) {
  std::vector<std::string_view> pieces{batch.copy()};
  std::int64_t count = 0;
  for (const RowBatch::Part& part : batch.parts()) count += part.rows;
  for (const LateRows& late : late_rows_) {
    pieces.emplace_back(late.copy);
    count += late.count;
  }
  if (count == 0) return {};
  if (has_trigger_) return insert_through_staging(batch);
  auto saved = database_->execute("SAVEPOINT copied");
  if (!saved) return pass(saved);
  auto copied = copy_rows(
      "COPY device_events_cleaned (device_id, event_type, timestamp, rank, seq) "
      "FROM STDIN (FORMAT binary)",
      pieces);
  if (copied) return *copied == count ? Result<void>() : not_kept(count - *copied);
  if (!database_->was_unique_violation()) return pass(copied);
  auto undone = database_->execute("ROLLBACK TO SAVEPOINT copied");
  if (!undone) return pass(undone);
  return insert_through_staging(batch);
}

// Counts would not add up any more.
Failure PostgresStore::not_kept(std::int64_t rows) const {
  return fail(ErrorKind::fatal,
              "database {}: {} rows are not in device_events_cleaned as they were inserted: a "
              "trigger swallows or changes them",
              database_->name(), rows);
}

Result<std::int64_t> PostgresStore::copy_rows(const std::string& sql,
                                              std::span<const std::string_view> pieces) {
  if (auto begun = database_->begin_copy(sql); !begun) return pass(begun);
  if (auto put = database_->put_copy(kCopyHead); !put) return pass(put);
  for (std::string_view piece : pieces) {
    for (; !piece.empty(); piece.remove_prefix(std::min(kCopyPiece, piece.size()))) {
      if (auto put = database_->put_copy(piece.substr(0, kCopyPiece)); !put) return pass(put);
    }
  }
  if (auto put = database_->put_copy(kCopyTail); !put) return pass(put);
  return database_->end_copy();
}

// What is there already is left as it is and counted, partition by partition.
Result<void> PostgresStore::insert_through_staging(const RowBatch& batch) {
  auto made = database_->execute(
      "CREATE TEMP TABLE IF NOT EXISTS dwell_staging (device_id text, event_type text, "
      "timestamp bigint, rank bigint, seq bigint) ON COMMIT DELETE ROWS");
  if (!made) return pass(made);
  for (std::size_t i = 0; i < batch.parts().size(); ++i) {
    const RowBatch::Part& part = batch.parts()[i];
    const std::string_view pieces[] = {batch.copy().substr(part.begin, part.end - part.begin),
                                       late_rows_[i].copy};
    if (pieces[0].empty() && pieces[1].empty()) continue;
    auto staged = copy_rows(
        "COPY dwell_staging (device_id, event_type, timestamp, rank, seq) "
        "FROM STDIN (FORMAT binary)",
        pieces);
    if (!staged) return pass(staged);
    if (auto inserted = insert_staged(i); !inserted) return inserted;
    auto emptied = database_->execute("TRUNCATE dwell_staging");
    if (!emptied) return pass(emptied);
  }
  return {};
}

Result<void> PostgresStore::insert_staged(std::size_t part) {
  auto inserted = database_->run(
      "WITH inserted AS (INSERT INTO device_events_cleaned "
      "(device_id, event_type, timestamp, rank, seq) "
      "SELECT device_id, event_type, timestamp, rank, seq FROM dwell_staging "
      "ON CONFLICT DO NOTHING RETURNING 1) "
      "SELECT (SELECT count(*) FROM dwell_staging) - (SELECT count(*) FROM inserted)",
      {});
  if (!inserted) return pass(inserted);
  counts_[part].absorbed += static_cast<std::uint64_t>(inserted->integer(0, 0));
  if (!has_trigger_ && inserted->integer(0, 0) == 0) return {};
  // A row that was there and one that a trigger swallowed count alike.
  auto missing = database_->run(
      "SELECT count(*) FROM dwell_staging AS s WHERE NOT EXISTS (SELECT "
      "FROM device_events_cleaned AS e WHERE e.device_id = s.device_id "
      "AND e.timestamp = s.timestamp AND e.event_type = s.event_type)",
      {});
  if (!missing) return pass(missing);
  if (missing->integer(0, 0) > 0) return not_kept(missing->integer(0, 0));
  return {};
}

Result<void> PostgresStore::count(const RowBatch& batch) {
  for (std::size_t i = 0; i < batch.parts().size(); ++i) {
    const RowBatch::Part& part = batch.parts()[i];
    const StorePosition& position = part.position;
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
    const RowCounts& counts = counts_[i];
    for (const auto count : {counts.inserts, counts.retracts, counts.absorbed, counts.faults,
                             static_cast<std::uint64_t>(part.rejected), counts.expired}) {
      parameters.integer(static_cast<std::int64_t>(count));
    }
    auto counted = database_->run(
        "UPDATE dwell_position SET next = $3, last = nullif($4::bigint, -1), "
        "last_hash = CASE WHEN $4 = -1 THEN NULL ELSE $5::bytea END, inserts = inserts + $6, "
        "retracts = retracts + $7, absorbed = absorbed + $8, faults = faults + $9, "
        "rejected = rejected + $10, expired = expired + $11 WHERE topic = $1 AND partition = $2",
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

Result<std::vector<std::optional<Offset>>> stored_offsets(PgConnection& database,
                                                          const std::string& topic,
                                                          std::size_t partitions) {
  auto rows = database.run("SELECT partition, next FROM dwell_position WHERE topic = $1",
                           PgParameters().text(topic));
  if (!rows) return pass(rows);
  std::vector<std::optional<Offset>> offsets(partitions);
  for (int i = 0; i < rows->rows(); ++i) {
    const auto partition = static_cast<std::size_t>(rows->integer(i, 0));
    if (partition < partitions) offsets[partition] = rows->integer(i, 1);
  }
  return offsets;
}

Result<void> forget_positions(PgConnection& database, const std::string& topic) {
  auto begun = database.execute("BEGIN");
  if (!begun) return pass(begun);
  auto forgotten =
      database.run("DELETE FROM dwell_position WHERE topic = $1", PgParameters().text(topic));
  if (!forgotten) return pass(forgotten);
  auto adopted = database.execute(
      "UPDATE dwell_fact SET value = (SELECT count(*) FROM device_events_cleaned) - "
      "(SELECT coalesce(sum(inserts - (retracts - faults - expired) - absorbed), 0) "
      "FROM dwell_position) + "
      "(SELECT value::bigint FROM dwell_fact WHERE name = 'dropped_rows') "
      "WHERE name = 'adopted_rows'");
  if (!adopted) return pass(adopted);
  return database.commit();
}

}  // namespace dwell
