#include <algorithm>
#include <utility>

#include "app/settings/settings.h"
#include "app/settings/units.h"
#include "core/member_tree.h"

namespace dwell {
namespace {

// Members of one group share the partitions of one topic. Each role derives more groups from its
// own.
void find_shared_groups(const Config& config, std::vector<std::string>& found) {
  const std::string& clean = config.group;
  const std::string& store = config.store_group;
  const auto redrive = clean + "-redrive-";
  const bool is_shared = clean == store || clean + "-key" == store || store + "-devices" == clean ||
                         clean + "-key" == store + "-devices" || store.starts_with(redrive) ||
                         (store + "-devices").starts_with(redrive);
  if (!is_shared) return;
  found.push_back(
      fmt::format("clean.group {0} and store.group {1} lead to one group for two topics, since "
                  "{0}, {0}-key and "
                  "{0}-redrive-REASON, and {1} and {1}-devices, are used: give each another name",
                  clean, store));
}

// What a mapping says that cannot be.
void find_mapping_faults(const Config& config, std::vector<std::string>& found) {
  const Mapping& mapping = config.rule.mapping;
  for (const std::string& name : mapping.enter) {
    if (std::find(mapping.exit.begin(), mapping.exit.end(), name) == mapping.exit.end()) continue;
    found.push_back(
        fmt::format("input.enter and input.exit both have {}: a type is one of them", name));
  }
  if (MemberTree::slots_of(mapping) > MemberTree::kMostSlots) {
    found.push_back(
        fmt::format("input.device_id, input.event_type and input.timestamp name more than {} "
                    "members: name fewer",
                    MemberTree::kMostSlots));
  }
  auto problem = contradiction_of_keys(config);
  if (!problem.empty()) found.push_back(std::move(problem));
}

}  // namespace

std::vector<std::string> contradictions(const Config& config) {
  const auto& topics = config.topics;
  std::vector<std::pair<const char*, std::string_view>> names{{"topics.input", topics.input},
                                                              {"topics.cleaned", topics.cleaned},
                                                              {"topics.state", topics.state},
                                                              {"topics.rejected", topics.rejected}};
  // Where the hop may be left out, its topic may be any.
  if (config.partitioned_by == PartitionedBy::none) {
    names.emplace_back("topics.keyed", topics.keyed);
  }
  std::vector<std::string> found;
  for (std::size_t i = 0; i < names.size(); ++i) {
    for (std::size_t k = 0; k < i; ++k) {
      if (names[i].second != names[k].second) continue;
      found.push_back(fmt::format("{} and {} are both {}: give each a topic of its own",
                                  names[k].first, names[i].first, names[i].second));
    }
  }
  find_shared_groups(config, found);
  find_mapping_faults(config, found);
  return found;
}

std::string contradiction_of_keys(const Config& config) {
  const Mapping& mapping = config.rule.mapping;
  const bool makes_ids =
      mapping.id_spelling != IdSpelling::keep || mapping.device_id != Mapping().device_id;
  const bool are_others = makes_ids && config.keys == KeyForm::as_is;
  if (!are_others || config.partitioned_by != PartitionedBy::device) return {};
  return "input.partitioned_by = device, but input.device_id or input.device_id_case makes other "
         "ids "
         "than producers partition by: set input.partitioned_by = none, and Dwell copies each "
         "record to the partition of its device; or input.keys = mapped, if producers key by the "
         "ids that these settings make";
}

std::string contradiction_of_times(const TimeFormat& time) {
  const bool needs_unit = time.earliest < kEarliestToTellUnits || time.earliest >= kEndOfUnits;
  if (time.unit != TimeUnit::automatic || !needs_unit) return {};
  const auto text = time.earliest == kEarliest ? "off" : format_day_or_time(time.earliest);
  return fmt::format(
      "clock.earliest = {} and input.time_unit = auto: the unit of a number can be told from 1971 "
      "to 2099 alone; name the unit, or another earliest time",
      text);
}

}  // namespace dwell
