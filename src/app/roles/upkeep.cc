#include "postgres/upkeep.h"

#include <spdlog/spdlog.h>

#include "app/process/database_door.h"
#include "app/process/rejoining.h"
#include "app/roles/process_roles.h"

namespace dwell {
namespace {

constexpr const char* kUpkeep = "upkeep";

// Drops and compresses old rows now and then, on a connection of its own.
Result<void> keep_database_up(Process& process, const std::stop_token& stop) {
  const Config& config = process.config();
  DatabaseDoor door(config);
  return keep_joining(kUpkeep, stop, process.clock(), process.board(), [&]() -> Result<void> {
    PgOptions options = postgres_options(config);
    options.statement_timeout = Milliseconds(0);  // old rows may be many
    auto database = door.open(options);
    if (!database) return pass(database);
    while (!stop.stop_requested()) {
      const auto report = apply_retention(**database, config.upkeep, process.clock().wall());
      if (!report) return may_pass(report.error());
      process.board().set(kUpkeep, "");
      if (report->dropped_rows + report->compressed_chunks > 0) {
        spdlog::info("retention: {} rows dropped, {} chunks compressed", report->dropped_rows,
                     report->compressed_chunks);
      }
      process.clock().sleep(config.upkeep_every, stop);
    }
    return {};
  });
}

}  // namespace

void add_upkeep(Process& process) {
  const UpkeepOptions& upkeep = process.config().upkeep;
  if (!upkeep.retention && !upkeep.compress_after) return;
  process.add(kUpkeep,
              [&process](const std::stop_token& stop) { return keep_database_up(process, stop); });
}

}  // namespace dwell
