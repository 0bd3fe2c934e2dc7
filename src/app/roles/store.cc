#include <spdlog/spdlog.h>

#include "app/process/database_door.h"
#include "app/process/rejoining.h"
#include "app/roles/outcomes_member.h"
#include "app/roles/process_roles.h"
#include "app/roles/store_member.h"
#include "postgres/upkeep.h"

namespace dwell {

namespace {

constexpr const char* kUpkeep = "upkeep";

// Drops and compresses old rows now and then, on a connection of its own.
Result<void> keep_database_up(Process& process, const std::stop_token& stop) {
  const Config& config = process.config();
  DatabaseDoor door(config);
  return keep_joining(kUpkeep, stop, process.clock(), process.status(), [&]() -> Result<void> {
    PgOptions options = postgres_options(config);
    options.statement_timeout = Milliseconds(0);  // old rows may be many
    auto database = door.open(options);
    if (!database) return pass(database);
    while (!stop.stop_requested()) {
      const auto report = keep_up(**database, config.upkeep, process.clock().wall());
      if (!report) return may_pass(report.error());
      process.status().set(kUpkeep, "");
      if (report->dropped_rows + report->compressed_chunks > 0) {
        spdlog::info("retention: {} rows dropped, {} chunks compressed", report->dropped_rows,
                     report->compressed_chunks);
      }
      wait(stop, config.upkeep_every);
    }
    return {};
  });
}

}  // namespace

Result<void> add_store(Process& process) {
  const Config& config = process.config();
  const auto instance = process.take_instance(config.store_group);
  if (!instance) return Failure(instance.error());
  TopicGuard& topics = process.topics();
  topics.add(config.topics.cleaned);
  topics.add(config.topics.state, true);
  topics.add(config.topics.rejected);
  for (std::size_t i = 0; i < config.store_threads; ++i) {
    const auto member =
        std::make_shared<StoreMember>(config, *instance, i, process.clock(), process.status(),
                                      process.metrics(), process.topics());
    process.add([member](const std::stop_token& stop) { return member->run(stop); });
  }
  const auto devices = std::make_shared<DeviceMember>(config, *instance, process.clock(),
                                                      process.status(), process.topics());
  process.add([devices](const std::stop_token& stop) { return devices->run(stop); });
  if (config.upkeep.retention || config.upkeep.compress_after) {
    process.add(
        [&process](const std::stop_token& stop) { return keep_database_up(process, stop); });
  }
  return {};
}

}  // namespace dwell
