#include "app/commands.h"
#include "app/log.h"
#include "app/member_process.h"
#include "app/output.h"
#include "app/postgres_options.h"
#include "app/store_member.h"
#include "app/system_clock.h"
#include "postgres/postgres_store.h"

namespace dwell {

Result<void> store(const LoadedConfig& loaded) {
  log_to_stderr();
  const Config& config = loaded.config;
  const auto instance = take_instance(config, config.store_group, "dwell store");
  if (!instance) return Failure(instance.error());

  SystemClock clock;
  MemberStatus status;
  Metrics metrics;
  std::vector<StoreMember> members;
  for (std::size_t i = 0; i < config.store_threads; ++i) {
    members.emplace_back(config, instance->id, i, clock, status, metrics);
  }
  std::vector<MemberTask> tasks;
  for (StoreMember& member : members) {
    tasks.emplace_back([&member](const std::stop_token& stop) { return member.run(stop); });
  }
  return run_members(tasks, config, config.store_listen, status, metrics);
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
