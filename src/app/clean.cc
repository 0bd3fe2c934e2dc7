#include "app/clean_member.h"
#include "app/commands.h"
#include "app/log.h"
#include "app/member_process.h"
#include "app/system_clock.h"

namespace dwell {

Result<void> clean(const LoadedConfig& loaded) {
  log_to_stderr();
  const Config& config = loaded.config;
  const auto instance = take_instance(config, config.group, "dwell clean");
  if (!instance) return Failure(instance.error());

  SystemClock clock;
  MemberStatus status;
  Metrics metrics;
  std::vector<CleanMember> members;
  for (std::size_t i = 0; i < config.clean_threads; ++i) {
    members.emplace_back(config, instance->id, i, clock, status, metrics);
  }
  std::vector<MemberTask> tasks;
  for (CleanMember& member : members) {
    tasks.emplace_back([&member](const std::stop_token& stop) { return member.run(stop); });
    tasks.emplace_back([&member](const std::stop_token& stop) { return member.run_hop(stop); });
  }
  return run_members(tasks, config, config.clean_listen, status, metrics);
}

}  // namespace dwell
