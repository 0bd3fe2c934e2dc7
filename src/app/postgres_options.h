#pragma once

#include <memory>

#include "app/config.h"
#include "postgres/connection.h"

namespace dwell {

// How the database is reached, as configured.
PgOptions postgres_options(const Config& config);

// A connection to a database whose layout is that of this release: brought up to it where
// `database.migrate` says so. Errors: those of PgConnection; invalid (another layout).
Result<std::unique_ptr<PgConnection>> open_database(const Config& config);
Result<std::unique_ptr<PgConnection>> open_database(const Config& config, const PgOptions& options);

}  // namespace dwell
