#pragma once

#include <memory>

#include "app/settings/config.h"
#include "postgres/connection.h"

namespace dwell {

// How the database is reached, as configured.
PgOptions postgres_options(const Config& config);

// A connection to a database whose layout is that of this release: brought up to it where
// `database.migrate` says so. Errors: those of PgConnection; invalid (another layout).
Result<std::unique_ptr<PgConnection>> open_database(const Config& config);
Result<std::unique_ptr<PgConnection>> open_database(const Config& config, const PgOptions& options);

// What fails at a database in use is tried again: whoever runs it can mend it meanwhile.
Failure may_pass(Error error);

// Opens the database of one task, again and again. What only the operator can mend (invalid) is an
// end before it was open for the first time alone; whatever fails later is retry_later. The layout
// is brought up to date that first time alone, too.
class DatabaseDoor {
 public:
  explicit DatabaseDoor(const Config& config) : config_(config) {}

  Result<std::unique_ptr<PgConnection>> open();
  Result<std::unique_ptr<PgConnection>> open(const PgOptions& options);
  bool was_open() const { return was_open_; }

 private:
  const Config& config_;
  bool was_open_ = false;
};

}  // namespace dwell
