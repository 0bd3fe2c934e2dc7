#include "app/clean_member.h"
#include "app/commands.h"
#include "app/log.h"
#include "app/roles.h"

namespace dwell {

Result<void> add_clean(Process& process) {
  const Config& config = process.config();
  const auto instance = process.take_instance(config.group);
  if (!instance) return Failure(instance.error());
  for (std::size_t i = 0; i < config.clean_threads; ++i) {
    const auto member = std::make_shared<CleanMember>(config, *instance, i, process.clock(),
                                                      process.status(), process.metrics());
    process.add([member](const std::stop_token& stop) { return member->run(stop); });
    process.add([member](const std::stop_token& stop) { return member->run_hop(stop); });
  }
  return {};
}

Result<void> clean(const LoadedConfig& loaded) {
  log_to_stderr();
  Process process(loaded.config, "dwell clean");
  if (auto added = add_clean(process); !added) return added;
  return process.run(loaded.config.clean_listen);
}

}  // namespace dwell
