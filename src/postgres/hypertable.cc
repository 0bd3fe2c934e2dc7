#include "postgres/hypertable.h"

#include "postgres/migrations.h"

namespace dwell {
namespace {

constexpr std::size_t kStep = 2;  // the migration that makes one

// 0: not installed, 1: not loaded by the server, 2: not made in this database, 3: usable. As the
// migration sees it.
constexpr const char* kState =
    "SELECT CASE WHEN EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') THEN 3 "
    "WHEN NOT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb') THEN 0 "
    "WHEN EXISTS (SELECT FROM pg_settings WHERE name LIKE 'timescaledb.%' "
    "OR (name = 'shared_preload_libraries' AND setting LIKE '%timescaledb%')) "
    "OR current_setting('timescaledb.allow_install_without_preload', true) = 'on' "
    "THEN 2 ELSE 1 END";

constexpr std::string_view kLoad =
    "TimescaleDB is installed, but the server has not loaded it: add timescaledb to "
    "shared_preload_libraries and start the server anew";
constexpr std::string_view kMake =
    "TimescaleDB is loaded, but this user may not make it an extension of the database: run CREATE "
    "EXTENSION timescaledb as one who may";

Result<std::string_view> obstacle(PgConnection& database) {
  auto state = database.run(kState, {});
  if (!state) return pass(state);
  switch (state->integer(0, 0)) {
    case 0:
      return std::string_view("TimescaleDB is not installed on the server");
    case 1:
      return kLoad;
    case 2:
      return kMake;
    default:
      return std::string_view();
  }
}

}  // namespace

Result<bool> is_hypertable(PgConnection& database) {
  auto found = database.run(kIsHypertable, PgParameters());
  if (!found) return pass(found);
  return found->integer(0, 0) != 0;
}

Result<std::string> missing_for_hypertable(PgConnection& database) {
  const auto is_one = is_hypertable(database);
  if (!is_one) return pass(is_one);
  if (*is_one) return std::string();
  const auto found = obstacle(database);
  if (!found) return pass(found);
  if (*found != kLoad && *found != kMake) return std::string();
  return fmt::format(
      "database {}: rows go to a plain table. {}; then `dwell migrate hypertable` makes it a "
      "hypertable",
      database.name(), *found);
}

Result<void> make_hypertable(PgConnection& database) {
  if (auto checked = check_schema(database); !checked) return checked;
  return take_turn(database, [&]() -> Result<void> {
    const auto was_one = is_hypertable(database);
    if (!was_one) return pass(was_one);
    if (*was_one) return {};
    if (auto begun = database.begin_long(); !begun) return begun;
    const auto made = database.execute(std::string(postgres_migrations()[kStep - 1].up));
    if (!made) {
      database.roll_back();
      return pass(made);
    }
    if (auto committed = database.commit(); !committed) return committed;
    const auto is_one = is_hypertable(database);
    if (!is_one) return pass(is_one);
    if (*is_one) return {};
    const auto why = obstacle(database);
    if (!why) return pass(why);
    return fail(ErrorKind::invalid, "database {}: the table stays a plain one: {}", database.name(),
                *why);
  });
}

}  // namespace dwell
