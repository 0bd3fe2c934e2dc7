#pragma once

#include <vector>

#include "base/migration.h"
#include "base/result.h"
#include "sqlite/database.h"

namespace dwell {

// The steps of db/sqlite, built into the binary.
const std::vector<Migration>& sqlite_migrations();

// Brings a database file to `target` steps (default: all), each step in one transaction. The step
// reached is PRAGMA user_version, and PRAGMA application_id says the file is Dwell's.
// Errors: invalid (another program's file, or a newer Dwell's), and those of Database.
Result<void> migrate(Database& database, int target);
Result<void> migrate(Database& database);

// The step the file is at, 0 for an empty one. Errors: those of migrate().
Result<int> current_step(Database& database);

// The same check without changing anything: a file no step was run on is invalid too.
Result<void> check_schema(Database& database);

}  // namespace dwell
