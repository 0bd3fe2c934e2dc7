#include "app/roles.h"

#include <vector>

#include "app/commands.h"
#include "app/log.h"

namespace dwell {

Result<void> run_process(const Config& config, const std::string& name, const std::string& listen,
                         std::span<const AddRole> roles) {
  log_to_stderr();
  Process process(config, name);
  for (const AddRole add : roles) {
    if (auto added = add(process); !added) return added;
  }
  TopicGuard& topics = process.topics();
  if (topics.is_needed()) {
    process.add([&topics](const std::stop_token& stop) { return topics.run(stop); });
  }
  return process.run(listen);
}

Result<void> run_roles(const LoadedConfig& loaded, const Roles& roles) {
  std::vector<AddRole> chosen;
  if (roles.clean) chosen.push_back(add_clean);
  if (roles.store) chosen.push_back(add_store);
  if (roles.serve) chosen.push_back(add_serve);
  return run_process(loaded.config, "dwell run", loaded.config.http_listen, chosen);
}

Result<void> clean(const LoadedConfig& loaded) {
  return run_process(loaded.config, "dwell clean", loaded.config.clean_listen, {{add_clean}});
}

Result<void> store(const LoadedConfig& loaded) {
  return run_process(loaded.config, "dwell store", loaded.config.store_listen, {{add_store}});
}

Result<void> serve(const LoadedConfig& loaded) {
  return run_process(loaded.config, "dwell serve", loaded.config.http_listen, {{add_serve}});
}

}  // namespace dwell
