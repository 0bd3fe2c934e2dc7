#pragma once

#include <string>

#include "postgres/connection.h"

namespace dwell {

// Asks whether the rows are in a hypertable: one integer.
inline constexpr const char* kIsHypertable =
    "SELECT EXISTS (SELECT FROM dwell_fact WHERE name = 'hypertable')::int";

Result<bool> is_hypertable(PgConnection& database);

// What keeps a table with the layout of this release from being a hypertable although TimescaleDB
// is installed, and what to do; empty: nothing does, or it is not installed.
Result<std::string> missing_for_hypertable(PgConnection& database);

// Makes a plain table a hypertable, with its rows; nothing is done to one that is. Errors: invalid
// (TimescaleDB cannot be used; says what to do), and those of PgConnection.
Result<void> make_hypertable(PgConnection& database);

}  // namespace dwell
