#include "sqlite/migrations.h"

namespace dwell {
namespace {

constexpr std::int64_t kApplicationId = 0x44776c31;  // "Dwl1"

Result<void> run_step(Database& database, std::string_view sql, int reached) {
  auto transaction = Transaction::begin(database);
  if (!transaction) return pass(transaction);
  if (auto done = database.execute(std::string(sql)); !done) return done;
  const auto stamp = fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {}",
                                 reached == 0 ? 0 : kApplicationId, reached);
  if (auto done = database.execute(stamp); !done) return done;
  return transaction->commit();
}

}  // namespace

Result<int> current_step(Database& database) {
  auto application = database.query_integer("PRAGMA application_id");
  if (!application) return pass(application);
  auto version = database.query_integer("PRAGMA user_version");
  if (!version) return pass(version);
  // SQLite keeps its own table of ids used; it is there even after all of ours were dropped.
  auto tables =
      database.query_integer("SELECT count(*) FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'");
  if (!tables) return pass(tables);
  const bool is_empty = *application == 0 && *version == 0 && *tables == 0;
  if (!is_empty && *application != kApplicationId) {
    return fail(ErrorKind::invalid, "{}: is a database of another program; name another file",
                database.path());
  }
  if (*version < 0) {
    return fail(ErrorKind::invalid,
                "{}: has layout {}, which no release writes; restore it from a backup",
                database.path(), *version);
  }
  const auto known = static_cast<std::int64_t>(sqlite_migrations().size());
  if (*version > known) {
    return fail(
        ErrorKind::invalid,
        "{}: was written by a newer release (layout {}, this binary knows {}); use that one",
        database.path(), *version, known);
  }
  return static_cast<int>(*version);
}

Result<void> migrate(Database& database, int target) {
  auto step = current_step(database);
  if (!step) return pass(step);
  const auto& steps = sqlite_migrations();
  for (int i = *step; i < target; ++i) {
    if (auto done = run_step(database, steps[static_cast<std::size_t>(i)].up, i + 1); !done) {
      return done;
    }
  }
  for (int i = *step; i > target; --i) {
    if (auto done = run_step(database, steps[static_cast<std::size_t>(i - 1)].down, i - 1); !done) {
      return done;
    }
  }
  return {};
}

Result<void> migrate(Database& database) {
  return migrate(database, static_cast<int>(sqlite_migrations().size()));
}

Result<void> check_schema(Database& database) {
  auto step = current_step(database);
  if (!step) return pass(step);
  if (*step < static_cast<int>(sqlite_migrations().size())) {
    return fail(ErrorKind::invalid,
                "{}: has an older layout or none; run `dwell replay` on it once to bring it up",
                database.path());
  }
  return {};
}

}  // namespace dwell
