#include <algorithm>

#include "app/commands/argument_checks.h"
#include "app/commands/commands.h"
#include "app/process/database_door.h"
#include "app/terminal/output.h"
#include "postgres/hypertable.h"
#include "postgres/migrations.h"

namespace dwell {
namespace {

constexpr int kMostSteps = 1'000;

Result<void> show_migrations(const Config& config) {
  PgOptions options = postgres_options(config);
  options.session = "SET lock_timeout = '5s'";  // somebody waits for the answer
  auto database = PgConnection::open(options);
  if (!database) return pass(database);
  const auto status = migration_status(**database);
  if (!status) return pass(status);
  std::string lines;
  for (const MigrationStatus& step : *status) {
    lines += fmt::format("{:<30} {}\n", step.name, step.run_at.empty() ? "not run" : step.run_at);
  }
  return print(lines);
}

Result<void> migrate_up(const Config& config) {
  auto database = PgConnection::open(postgres_options(config));
  if (!database) return pass(database);
  if (auto done = migrate(**database); !done) return done;
  const auto missing = missing_for_hypertable(**database);
  if (!missing) return pass(missing);
  if (!missing->empty()) tell(*missing + "\n");
  if (auto shown = show_migrations(config); !shown) return shown;
  return check_schema(**database);
}

Result<void> migrate_down(const Config& config, int steps) {
  auto database = PgConnection::open(postgres_options(config));
  if (!database) return pass(database);
  const auto status = migration_status(**database);
  if (!status) return pass(status);
  const auto run = std::count_if(status->begin(), status->end(),
                                 [](const MigrationStatus& step) { return !step.run_at.empty(); });
  const int target = std::max(0, static_cast<int>(run) - steps);
  if (auto done = migrate(**database, target); !done) return done;
  return show_migrations(config);
}

Result<void> migrate_to_hypertable(const Config& config) {
  auto database = PgConnection::open(postgres_options(config));
  if (!database) return pass(database);
  if (auto made = make_hypertable(**database); !made) return made;
  return print("device_events_cleaned is a hypertable\n");
}

}  // namespace

void add_migrate(CommandSet& commands) {
  Command migrate =
      commands.add("migrate", "Bring the PostgreSQL database up to this release, or back");
  const auto add = [&](const char* name, const char* help, auto action) -> Command {
    return commands.add(migrate, name, help, {"database.url"},
                        [action](const Config& config) { return action(config); });
  };
  add("up", "Run the steps that were not run yet", migrate_up);
  const auto steps = std::make_shared<int>(1);
  add("down", "Undo the last steps; what they made is lost",
      [steps](const Config& config) { return migrate_down(config, *steps); })
      .add("--steps", *steps, "How many")
      .number()
      .between(1, kMostSteps)
      .shows_default();
  add("status", "Show which steps were run, and when", show_migrations);
  add("hypertable", "Make the plain table a hypertable, once TimescaleDB is loaded",
      migrate_to_hypertable);
}

}  // namespace dwell
