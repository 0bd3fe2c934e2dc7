#include "app/postgres_options.h"

#include "postgres/migrations.h"

namespace dwell {

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
  auto ready = config.database_migrate ? migrate(**database) : check_schema(**database);
  if (!ready) return pass(ready);
  return database;
}

}  // namespace dwell
