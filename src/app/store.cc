#include <spdlog/spdlog.h>

#include "app/commands.h"
#include "app/device_member.h"
#include "app/membership.h"
#include "app/output.h"
#include "app/postgres_options.h"
#include "app/roles.h"
#include "app/store_member.h"
#include "postgres/postgres_store.h"

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

Result<void> reset_store(const Config& config, bool is_confirmed) {
  auto database = open_database(config);
  if (!database) return pass(database);
  const std::string& topic = config.topics.cleaned;
  const auto partitions = count_positions(**database, topic);
  if (!partitions) return Failure(partitions.error());
  const auto what = fmt::format("{}: the positions of {} partitions of topic {} in database {}",
                                is_confirmed ? "deleted" : "would delete", *partitions, topic,
                                (*database)->name());
  if (!is_confirmed) {
    auto printed = print(fmt::format(
        "{}\n`dwell store` would start again at the beginning of the topic, as far back as its "
        "retention reaches: rows that are stored already are left as they are, and those whose "
        "records are gone stay\n",
        what));
    if (!printed) return printed;
    return fail(ErrorKind::invalid, "nothing was changed; `dwell store reset --yes` does it");
  }
  if (auto forgotten = forget_positions(**database, topic); !forgotten) return forgotten;
  return print(what + "\n");
}

}  // namespace dwell
