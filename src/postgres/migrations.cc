#include "postgres/migrations.h"

namespace dwell {
namespace {

// Any number that no other program locks: "Dwl1".
constexpr std::int64_t kLock = 0x44776c31;

constexpr std::string_view kOtherTables =
    "; the tables are not as Dwell's steps made them: bring back what was changed "
    "(docs/formats.md), "
    "restore the database from a copy, or name one without these tables in database.url";

// What to do about the last failure where a step, or what is known of steps, met it.
std::string_view mend_of(const PgConnection& database) {
  const std::string& state = database.sql_state();
  if (state == "23505") {
    return "; two rows have one device_id, timestamp and event_type; SELECT device_id, timestamp, "
           "event_type, count(*) FROM device_events_cleaned GROUP BY 1, 2, 3 HAVING count(*) > 1 "
           "finds them: delete all but one of each";
  }
  // Something is missing, there already, or another thing.
  for (const std::string_view other : {"42P01", "42703", "42P07", "42701", "42710", "42809"}) {
    if (state == other) return kOtherTables;
  }
  return "";
}

// The steps that were run, 0 in a database without any.
Result<int> current_step(PgConnection& database) {
  auto known = database.run(
      "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema() "
      "AND tablename = 'dwell_migration'",
      {});
  if (!known) return pass(known);
  if (known->integer(0, 0) == 0) return 0;
  auto reached = database.run("SELECT coalesce(max(step), 0)::bigint FROM dwell_migration", {});
  if (!reached) {
    return fail(reached.error().kind, "{}{}", reached.error().message, mend_of(database));
  }
  const auto step = reached->integer(0, 0);
  const auto all = static_cast<std::int64_t>(postgres_migrations().size());
  if (step > all) {
    return fail(
        ErrorKind::invalid,
        "database {}: was written by a newer release (layout {}, this binary knows {}); use "
        "that one",
        database.name(), step, all);
  }
  return static_cast<int>(step);
}

// One step up to, or down from, `step`. Whatever fails in it undoes all of it.
Result<void> run_step(PgConnection& database, int step, bool is_up) {
  const Migration& migration = postgres_migrations()[static_cast<std::size_t>(step - 1)];
  if (auto begun = database.begin_long(); !begun) return begun;
  const auto undo = [&](Error error) -> Result<void> {
    const auto mend = mend_of(database);
    database.roll_back();
    return fail(error.kind, "{} of {}: {}{}", is_up ? "up" : "down", migration.name, error.message,
                mend);
  };
  if (is_up) {
    auto table = database.execute(
        "CREATE TABLE IF NOT EXISTS dwell_migration (step bigint PRIMARY KEY, name text NOT NULL, "
        "run_at timestamptz NOT NULL DEFAULT now())");
    if (!table) return undo(table.error());
  }
  auto done = database.execute(std::string(is_up ? migration.up : migration.down));
  if (!done) return undo(done.error());
  PgParameters parameters;
  parameters.integer(std::int64_t{step});
  if (is_up) parameters.text(migration.name);
  auto noted = database.run(is_up ? "INSERT INTO dwell_migration (step, name) VALUES ($1, $2)"
                                  : "DELETE FROM dwell_migration WHERE step = $1",
                            parameters);
  if (!noted) return undo(noted.error());
  if (!is_up && step == 1) {
    if (auto gone = database.execute("DROP TABLE dwell_migration"); !gone) {
      return undo(gone.error());
    }
  }
  return database.commit();
}

}  // namespace

// What of the tables is not as the statements of this release take it: in words, or no row. Looks
// at the catalog alone, which no lock of a table holds up.
const char* const kFaultOfLayout =
    "(SELECT CASE WHEN c.oid IS NULL THEN w.relation || ' is missing' "
    "WHEN a.attnum IS NULL THEN w.relation || '.' || w.name || ' is missing' "
    "WHEN NOT has_column_privilege(c.oid, a.attnum, 'SELECT') "
    "THEN w.relation || ' may not be read by ' || current_user "
    "ELSE w.relation || '.' || w.name || ' is of type ' || format_type(a.atttypid, a.atttypmod) "
    "|| ', not ' || w.type END "
    "FROM (VALUES ('device_events_cleaned', 'device_id', 'text'), "
    "('device_events_cleaned', 'event_type', 'text'), "
    "('device_events_cleaned', 'timestamp', 'bigint'), "
    "('device_events_cleaned', 'rank', 'bigint'), ('device_events_cleaned', 'seq', 'bigint'), "
    "('dwell_device', 'device_id', 'text'), ('dwell_device', 'last_seen', 'bigint'), "
    "('dwell_device', 'accepted', 'bigint'), ('dwell_device', 'repeated_enter', 'bigint'), "
    "('dwell_device', 'repeated_exit', 'bigint'), ('dwell_device', 'duplicate', 'bigint'), "
    "('dwell_device', 'initial_exit', 'bigint'), ('dwell_device', 'promoted', 'bigint'), "
    "('dwell_device', 'retracted', 'bigint'), ('dwell_position', 'topic', 'text'), "
    "('dwell_position', 'partition', 'bigint'), ('dwell_position', 'next', 'bigint'), "
    "('dwell_fact', 'name', 'text')) AS w(relation, name, type) "
    "LEFT JOIN pg_class AS c ON c.oid = to_regclass(w.relation) "
    "LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = w.name "
    "AND NOT a.attisdropped "
    "WHERE a.attnum IS NULL OR NOT has_column_privilege(c.oid, a.attnum, 'SELECT') "
    "OR (format_type(a.atttypid, NULL) <> w.type "
    "AND NOT (w.type = 'text' AND format_type(a.atttypid, NULL) = 'character varying')) LIMIT 1) "
    "UNION ALL (SELECT CASE relpersistence "
    "WHEN 'u' THEN format('%1$s is UNLOGGED, a crash of PostgreSQL would empty it "
    "(ALTER TABLE %1$s SET LOGGED)', oid::regclass) "
    "ELSE format('%s is TEMPORARY and ends with its session (drop it)', oid::regclass) END "
    "FROM pg_class WHERE relpersistence <> 'p' AND (oid IN (to_regclass('device_events_cleaned'), "
    "to_regclass('dwell_position'), to_regclass('dwell_device'), to_regclass('dwell_fact'), "
    "to_regclass('dwell_device_position'), to_regclass('dwell_migration')) "
    "OR oid IN (SELECT inhrelid FROM pg_inherits "
    "WHERE inhparent = to_regclass('device_events_cleaned'))) LIMIT 1)";

Result<void> take_turn(PgConnection& database, const std::function<Result<void>()>& work) {
  // Held until the end of the session, or as long as it takes another process to do the same.
  auto locked = database.run("SELECT pg_advisory_lock($1)", PgParameters().integer(kLock));
  if (!locked) return pass(locked);
  auto outcome = work();
  auto unlocked = database.run("SELECT pg_advisory_unlock($1)", PgParameters().integer(kLock));
  if (outcome && !unlocked) return pass(unlocked);
  return outcome;
}

Result<void> migrate(PgConnection& database, int target) {
  return take_turn(database, [&]() -> Result<void> {
    auto step = current_step(database);
    if (!step) return pass(step);
    for (int next = *step + 1; next <= target; ++next) {
      if (auto done = run_step(database, next, true); !done) return done;
    }
    for (int last = *step; last > target; --last) {
      if (auto done = run_step(database, last, false); !done) return done;
    }
    return {};
  });
}

Result<void> migrate(PgConnection& database) {
  return migrate(database, static_cast<int>(postgres_migrations().size()));
}

Result<std::vector<MigrationStatus>> migration_status(PgConnection& database) {
  auto step = current_step(database);
  if (!step) return pass(step);
  std::vector<MigrationStatus> all;
  for (const Migration& migration : postgres_migrations()) {
    all.push_back({std::string(migration.name), ""});
  }
  if (*step == 0) return all;
  auto run = database.run("SELECT step, run_at::text FROM dwell_migration ORDER BY step", {});
  if (!run) return pass(run);
  for (int i = 0; i < run->rows(); ++i) {
    all[static_cast<std::size_t>(run->integer(i, 0) - 1)].run_at = run->bytes(i, 1);
  }
  return all;
}

Result<void> check_schema(PgConnection& database) {
  auto step = current_step(database);
  if (!step) return pass(step);
  if (*step < static_cast<int>(postgres_migrations().size())) {
    auto schema = database.run("SELECT coalesce(current_schema(), '')::text", {});
    if (!schema) return pass(schema);
    return fail(
        ErrorKind::invalid,
        "database {}: its schema {} has an older layout or none; run `dwell migrate up`, or "
        "see to search_path",
        database.name(), schema->bytes(0, 0));
  }
  auto fault = database.execute(kFaultOfLayout);
  if (!fault) return pass(fault);
  return check_layout(*fault);
}

Result<void> check_layout(const PgResult& answer) {
  if (answer.rows() == 0) return {};
  return fail(ErrorKind::invalid,
              "database: {}; change it back, or grant what is missing (`dwell migrate up` makes "
              "what was dropped together with its steps)",
              answer.bytes(0, 0));
}

}  // namespace dwell
