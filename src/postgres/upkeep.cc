#include "postgres/upkeep.h"

#include "postgres/hypertable.h"

namespace dwell {
namespace {

constexpr const char* kTakeTurn = "SELECT pg_try_advisory_xact_lock(7364020111)::int";

Result<std::int64_t> drop_rows(PgConnection& database, std::int64_t edge) {
  auto dropped = database.run("DELETE FROM device_events_cleaned WHERE timestamp < $1",
                              PgParameters().integer(edge));
  if (!dropped) return pass(dropped);
  return dropped->changed();
}

// Whole chunks below `edge`, which becomes where the last of them ended.
Result<std::int64_t> drop_chunks(PgConnection& database, std::int64_t& edge) {
  // Nothing is inserted between the count and the drop.
  auto locked =
      database.execute("LOCK TABLE ONLY device_events_cleaned IN SHARE ROW EXCLUSIVE MODE");
  if (!locked) return pass(locked);
  auto bound = database.run(
      "SELECT coalesce(max(range_end_integer), 0) FROM timescaledb_information.chunks "
      "WHERE hypertable_schema = current_schema() "
      "AND hypertable_name = 'device_events_cleaned' AND range_end_integer <= $1",
      PgParameters().integer(edge));
  if (!bound) return pass(bound);
  edge = bound->integer(0, 0);
  auto counted = database.run("SELECT count(*) FROM device_events_cleaned WHERE timestamp < $1",
                              PgParameters().integer(edge));
  if (!counted) return pass(counted);
  auto dropped = database.run(
      "SELECT count(*) FROM drop_chunks('device_events_cleaned', older_than => $1::bigint)",
      PgParameters().integer(edge));
  if (!dropped) return pass(dropped);
  return counted->integer(0, 0);
}

Result<std::int64_t> drop(PgConnection& database, bool is_hypertable, std::int64_t edge) {
  // The store reads the edge in its transaction; it is not moved under it.
  auto held = database.execute("SELECT FROM dwell_fact WHERE name = 'retention_edge' FOR UPDATE");
  if (!held) return pass(held);
  auto dropped = is_hypertable ? drop_chunks(database, edge) : drop_rows(database, edge);
  if (!dropped) return dropped;
  auto noted = database.run(
      "UPDATE dwell_fact SET value = CASE name "
      "WHEN 'dropped_rows' THEN value::bigint + $1::bigint "
      "ELSE greatest(value::bigint, $2::bigint) END "
      "WHERE name IN ('dropped_rows', 'retention_edge')",
      PgParameters().integer(*dropped).integer(edge));
  if (!noted) return pass(noted);
  return dropped;
}

Result<std::int64_t> compress(PgConnection& database, std::int64_t edge) {
  auto set = database.execute(
      "ALTER TABLE device_events_cleaned SET (timescaledb.compress, "
      "timescaledb.compress_segmentby = 'device_id', "
      "timescaledb.compress_orderby = 'timestamp, rank, event_type')");
  if (!set) return pass(set);
  auto compressed = database.run(
      "SELECT count(compress_chunk(format('%I.%I', chunk_schema, chunk_name)::regclass)) "
      "FROM timescaledb_information.chunks WHERE hypertable_schema = current_schema() "
      "AND hypertable_name = 'device_events_cleaned' AND NOT is_compressed "
      "AND range_end_integer <= $1",
      PgParameters().integer(edge));
  if (!compressed) return pass(compressed);
  return compressed->integer(0, 0);
}

Result<UpkeepReport> keep_up_in_turn(PgConnection& database, const UpkeepOptions& options,
                                     Timestamp now) {
  UpkeepReport report;
  auto turn = database.run(kTakeTurn, PgParameters());
  if (!turn) return pass(turn);
  if (turn->integer(0, 0) == 0) return report;
  const auto hyper = is_hypertable(database);
  if (!hyper) return pass(hyper);
  if (options.retention) {
    const auto dropped = drop(database, *hyper, to_ms(now - *options.retention));
    if (!dropped) return pass(dropped);
    report.dropped_rows = *dropped;
  }
  if (options.compress_after && *hyper) {
    const auto compressed = compress(database, to_ms(now - *options.compress_after));
    if (!compressed) return pass(compressed);
    report.compressed_chunks = *compressed;
  }
  return report;
}

}  // namespace

Result<UpkeepReport> apply_retention(PgConnection& database, const UpkeepOptions& options,
                                     Timestamp now) {
  auto begun = database.execute("BEGIN");
  if (!begun) return pass(begun);
  auto report = keep_up_in_turn(database, options, now);
  if (!report) {
    (void)database.execute("ROLLBACK");
    return report;
  }
  if (auto committed = database.commit(); !committed) return pass(committed);
  return report;
}

}  // namespace dwell
