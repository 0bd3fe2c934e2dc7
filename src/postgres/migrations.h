#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/migration.h"
#include "postgres/connection.h"

namespace dwell {

// The steps of db/postgres, built into the binary.
const std::vector<Migration>& postgres_migrations();

// A step and when it was run, as PostgreSQL shows times; empty: it was not.
struct MigrationStatus {
  std::string name;
  std::string run_at;
};

// Brings a database to `target` steps (default: all), each step in one transaction. The steps that
// were run stand in the table dwell_migration; a table of another tool is left alone. Two processes
// take turns. Errors: invalid (a newer Dwell's database), and those of PgConnection.
Result<void> migrate(PgConnection& database, int target);
Result<void> migrate(PgConnection& database);

// Runs `work` while no other process changes the layout.
Result<void> take_turn(PgConnection& database, const std::function<Result<void>()>& work);

Result<std::vector<MigrationStatus>> migration_status(PgConnection& database);

// Whether all steps were run, and the tables are still what they made. Errors: invalid (says what
// to do), and those of PgConnection.
Result<void> check_schema(PgConnection& database);

// The question behind it about the tables, and what its answer means. It looks at the catalog
// alone, which no lock of a table holds up.
extern const char* const kFaultOfLayout;
Result<void> check_layout(const PgResult& answer);

}  // namespace dwell
