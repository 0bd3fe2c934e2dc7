#include "app/roles/roles.h"

#include <vector>

#include "app/process/log.h"
#include "app/roles/process_roles.h"

namespace dwell {

Result<void> run_process(const Config& config, const std::string& name, const std::string& listen,
                         std::span<const AddRole> roles) {
  const Log log(config.log);
  HeldSignals signals;
  Process process(config, name);
  for (const AddRole add : roles) {
    if (auto added = add(process); !added) return added;
  }
  TopicGuard& topics = process.topics();
  if (topics.is_needed()) {
    process.add(TopicGuard::kTask,
                [&topics](const std::stop_token& stop) { return topics.run(stop); });
  }
  return process.run(listen, signals);
}

Result<void> run_roles(const Config& config, const Roles& roles) {
  std::vector<AddRole> chosen;
  if (roles.clean) chosen.push_back(add_clean);
  if (roles.store) chosen.push_back(add_store);
  if (roles.serve) chosen.push_back(add_serve);
  return run_process(config, "dwell run", config.http_listen, chosen);
}

Result<void> clean(const Config& config) {
  return run_process(config, "dwell clean", config.clean_listen, {{add_clean}});
}

Result<void> store(const Config& config) {
  return run_process(config, "dwell store", config.store_listen, {{add_store}});
}

Result<void> serve(const Config& config) {
  return run_process(config, "dwell serve", config.http_listen, {{add_serve}});
}

}  // namespace dwell
