#include "app/process/topic_settings.h"

#include "app/settings/config_loader.h"
#include "app/settings/kafka_options.h"
#include "app/settings/time_zones.h"
#include "base/printable.h"

namespace dwell {
namespace {

constexpr const char* kOrder = "order.mode";
constexpr std::size_t kShownKey = 40;  // columns

Result<Config> with_rule_1(Config config) {
  for (const char* key : {"clock.earliest", "input.time_unit", "input.time_zone", "input.device_id",
                          "input.device_id_case", "input.event_type", "input.timestamp",
                          "input.enter", "input.exit"}) {
    if (config.is_default(key)) continue;
    return fail(
        ErrorKind::invalid,
        "{}: topic {} was not made by `dwell topics create` of this release, and goes on as "
        "the first one left it, without that setting; `dwell topics upgrade` brings it up",
        key, config.topics.state);
  }
  if (config.is_default(kOrder)) config.rule.order = Order::arrival;
  config.rule.version = 1;
  config.rule.time = {};
  config.rule.mapping = {};
  return config;
}

}  // namespace

Result<void> check_order(const Config& config, std::string_view order) {
  const auto given = name(config.rule.order);
  if (config.is_default(kOrder) || given == order) return {};
  return fail(
      ErrorKind::invalid,
      "order.mode = {}: the states in topic {} are of {}; leave the setting out, or `dwell "
      "topics reset --order {}` forgets them and starts again at the beginning of the input",
      given, config.topics.state, order, given);
}

Result<Config> with_facts(Config config, const std::optional<TopicFacts>& facts) {
  if (!facts) return with_rule_1(std::move(config));
  const auto& topic = config.topics.state;
  if (facts->rule_version < 2 || facts->rule_version > kRuleVersion) {
    return fail(ErrorKind::fatal,
                "topic {} is of rule {}, this binary has 1 to {}: use the release "
                "that made it",
                topic, facts->rule_version, kRuleVersion);
  }
  const auto order = facts->settings.find(kOrder);
  if (order != facts->settings.end()) {
    if (auto kept = check_order(config, order->second); !kept) return pass(kept);
  }
  config.rule.version = facts->rule_version;
  auto effective =
      with_stored(settings(), std::move(config), facts->settings, fmt::format("topic {}", topic));
  if (!effective) return effective;
  auto problem = contradiction_of_keys(*effective);
  if (!problem.empty()) return fail(ErrorKind::invalid, "{}", problem);
  return effective;
}

Result<Config> with_facts_of_topics(const Config& config, std::string& warning) {
  const auto facts = read_facts(kafka_options(config), config.topics.state);
  if (!facts) return pass(facts);
  auto effective = with_facts(config, *facts);
  if (!effective || !*facts) return effective;
  const auto zone = (*facts)->settings.find("input.time_zone");
  if (zone != (*facts)->settings.end()) {
    warning = warning_of_tzdata(zone->second, effective->rule.time.zone,
                                fmt::format("topic {}", config.topics.state));
  }
  return effective;
}

// Where a group has members, facts are only added: those that are there stay as they are.
Result<void> check_no_upgrade(const Config& effective) {
  if (effective.rule.version >= 2) return {};
  const auto facts = read_facts(kafka_options(effective), effective.topics.state);
  if (!facts) return pass(facts);
  if (!*facts) return {};
  return fail(ErrorKind::lost_ownership, "topic {} was upgraded to rule {}", effective.topics.state,
              (*facts)->rule_version);
}

std::string miskeyed_line(std::string_view partition, Offset offset, std::string_view key,
                          std::string_view device) {
  return fmt::format("{} offset {}: its key is {}, its device id is {}", partition, offset,
                     key.empty() ? "empty" : printable(key, kShownKey),
                     printable(device, kShownKey));
}

TopicFacts new_facts(const Config& config) {
  return {kRuleVersion, fact_values(config)};
}

}  // namespace dwell
