#include "app/process/database_door.h"

#include <atomic>
#include <spdlog/spdlog.h>

#include "postgres/hypertable.h"
#include "postgres/migrations.h"

namespace dwell {
namespace {

// Once in a process.
void tell_of_hypertable(PgConnection& database) {
  static std::atomic<bool> was_logged = false;
  if (was_logged.exchange(true)) return;
  const auto missing = missing_for_hypertable(database);
  if (missing && !missing->empty()) spdlog::warn("{}", *missing);
}

Result<std::unique_ptr<PgConnection>> open_as_it_is(const PgOptions& options) {
  auto database = PgConnection::open(options);
  if (!database) return database;
  if (auto checked = check_schema(**database); !checked) return pass(checked);
  return database;
}

}  // namespace

PgOptions postgres_options(const Config& config) {
  PgOptions options;
  if (config.database_url != "default") options.url = config.database_url;
  return options;
}

Result<std::unique_ptr<PgConnection>> open_database(const Config& config) {
  return open_database(config, postgres_options(config));
}

Result<std::unique_ptr<PgConnection>> open_database(const Config& config,
                                                    const PgOptions& options) {
  auto database = PgConnection::open(options);
  if (!database) return database;
  if (config.database_migrate) {
    if (auto done = migrate(**database); !done) return pass(done);
  }
  if (auto checked = check_schema(**database); !checked) return pass(checked);
  return database;
}

Failure may_pass(Error error) {
  const bool is_end = error.kind == ErrorKind::invalid || error.kind == ErrorKind::not_found ||
                      error.kind == ErrorKind::fatal;
  if (is_end) error.kind = ErrorKind::retry_later;
  return Failure(std::move(error));
}

Result<std::unique_ptr<PgConnection>> DatabaseDoor::open() {
  return open(postgres_options(config_));
}

Result<std::unique_ptr<PgConnection>> DatabaseDoor::open(const PgOptions& options) {
  // A schema that has become another one since is not to be filled with tables.
  auto database = was_open_ ? open_as_it_is(options) : open_database(config_, options);
  if (!database) return was_open_ ? may_pass(std::move(database.error())) : pass(database);
  was_open_ = true;
  tell_of_hypertable(**database);
  return database;
}

}  // namespace dwell
