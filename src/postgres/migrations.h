#pragma once

#include <string>
#include <vector>

#include "base/migration.h"
#include "postgres/connection.h"

namespace dwell {

// The steps of db/postgres, built into the binary.
const std::vector<Migration>& postgres_migrations();

// Asks whether the rows are in a hypertable: one integer.
inline constexpr const char* kIsHypertable =
    "SELECT EXISTS (SELECT FROM dwell_fact WHERE name = 'hypertable')::int";

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

Result<std::vector<MigrationStatus>> migration_status(PgConnection& database);

// Whether all steps were run; if not, says how to run them.
Result<void> check_schema(PgConnection& database);

}  // namespace dwell
