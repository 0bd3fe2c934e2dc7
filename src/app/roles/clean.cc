#include "app/roles/clean_member.h"
#include "app/roles/process_roles.h"

namespace dwell {

Result<void> add_clean(Process& process) {
  const Config& config = process.config();
  const auto instance = process.take_instance(config.group);
  if (!instance) return Failure(instance.error());
  TopicGuard& topics = process.topics();
  topics.add(config.topics.input);
  topics.add_keyed();
  topics.add(config.topics.cleaned);
  topics.add(config.topics.state, true);
  topics.add(config.topics.rejected);
  for (std::size_t i = 0; i < config.clean_threads; ++i) {
    const auto member =
        std::make_shared<CleanMember>(config, *instance, i, process.clock(), process.status(),
                                      process.metrics(), process.topics());
    process.add([member](const std::stop_token& stop) { return member->run(stop); });
    process.add([member](const std::stop_token& stop) { return member->run_hop(stop); });
  }
  return {};
}

}  // namespace dwell
