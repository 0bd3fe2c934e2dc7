#include "app/commands/topic_facts_setup.h"

#include <algorithm>

#include "app/process/topic_settings.h"
#include "app/settings/config_loader.h"
#include "app/settings/kafka_options.h"
#include "kafka/client/range_reader.h"
#include "kafka/flow/marker.h"

namespace dwell {
namespace {

// Of topics of the first release where nothing tells it.
Order order_of_before(const Config& config) {
  return config.is_default("order.mode") ? Order::arrival : config.rule.order;
}

}  // namespace

Result<std::optional<Order>> order_of_states(const Config& config, const TopicPlan& plan) {
  std::optional<Order> order;
  const auto& state = plan.at("state");
  if (!state.found) return order;
  auto reader = RangeReader::open(kafka_options(config), config.group + "-look");
  if (!reader) return pass(reader);
  std::vector<OffsetRange> all;
  for (PartitionId i = 0; i < state.found->layout.partitions; ++i) {
    const auto offsets = (*reader)->client().offsets(state.wanted.name, i, kBrokerPatience);
    if (!offsets) return pass(offsets);
    all.push_back({i, offsets->low, kEndOfLog});
  }
  auto read = (*reader)->read(
      state.wanted.name, all, [&](const RangeReader::Messages& messages) -> Result<void> {
        for (const rd_kafka_message_t* message : messages) {
          if (bytes_of(message->key, message->key_len) != kMarkerKey) continue;
          const auto marker = decode_marker(bytes_of(message->payload, message->len));
          if (!marker) continue;  // what is damaged, `dwell clean` refuses
          order = marker->rule.order;
          return fail(ErrorKind::not_found, "the first one ends the reading");
        }
        return {};
      });
  if (!read && !order) return pass(read);
  return order;
}

namespace {

// Nothing was folded into the states, and no process is about to.
Result<bool> is_new(const Config& config, const TopicAdmin& admin, const TopicPlan& plan) {
  const int partitions = plan.at("state").found->layout.partitions;
  const auto offsets = admin.offsets(config.topics.state, partitions);
  if (!offsets) return pass(offsets);
  for (const auto& one : *offsets) {
    if (one.low != one.high) return false;
  }
  const auto committed = admin.committed(config.group, plan.read_topic, plan.partitions);
  if (!committed) return pass(committed);
  const bool has_offset = std::any_of(committed->begin(), committed->end(),
                                      [](const auto& one) { return one.has_value(); });
  const auto members = admin.members(config.group);
  if (!members) return pass(members);
  return !has_offset && members->empty();
}

// The facts of topics of the first release, whose states are of `order`: times stay as they were
// unless they were given.
Result<TopicFacts> facts_of_before(Config config, Order order) {
  config.rule.order = order;
  const TimeFormat of_before;
  if (config.is_default("clock.earliest")) config.rule.time.earliest = of_before.earliest;
  if (config.is_default("input.time_unit")) config.rule.time.unit = of_before.unit;
  auto problem = contradiction_of_times(config.rule.time);
  if (!problem.empty()) return fail(ErrorKind::invalid, "{}", problem);
  return new_facts(config);
}

}  // namespace

Result<std::string> set_up_facts(const Config& config, const TopicAdmin& admin,
                                 const TopicPlan& plan) {
  const auto& topic = config.topics.state;
  const auto found = read_facts(kafka_options(config), topic);
  if (!found) return pass(found);
  if (*found) {
    auto effective = with_facts(config, *found);
    if (!effective) return pass(effective);
    return fmt::format("topic {} is of order {}\n", topic, name(effective->rule.order));
  }
  const auto is_fresh = is_new(config, admin, plan);
  if (!is_fresh) return pass(is_fresh);
  if (!*is_fresh) {
    return fmt::format(
        "topic {} was made by the first release and goes on as it is; `dwell topics upgrade` "
        "brings it up\n",
        topic);
  }
  auto problem = contradiction_of_times(config.rule.time);
  if (!problem.empty()) return fail(ErrorKind::invalid, "{}", problem);
  const auto written = write_facts(kafka_options(config), topic, new_facts(config));
  if (!written) return pass(written);
  return fmt::format("topic {} is of order {} from now on\n", topic, name(config.rule.order));
}

Result<TopicFacts> facts_after_reset(const Config& config, const TopicPlan& plan) {
  const auto found = read_facts(kafka_options(config), config.topics.state);
  if (!found) return pass(found);
  if (*found) {
    auto kept = (*found)->settings;
    std::erase_if(kept, [&](const auto& one) { return !config.is_default(one.first); });
    auto effective = with_stored(settings(), config, kept, config.topics.state);
    if (!effective) return pass(effective);
    return new_facts(*effective);
  }
  const auto order = order_of_states(config, plan);
  if (!order) return pass(order);
  // Topics that were never used are new.
  if (!*order) return new_facts(config);
  return facts_of_before(config, config.is_default("order.mode") ? **order : config.rule.order);
}

Result<TopicFacts> facts_of_upgrade(const Config& config, const TopicPlan& plan) {
  const auto stored = order_of_states(config, plan);
  if (!stored) return pass(stored);
  const Order order = stored->value_or(order_of_before(config));
  if (auto kept = check_order(config, name(order)); !kept) return pass(kept);
  return facts_of_before(config, order);
}

}  // namespace dwell
