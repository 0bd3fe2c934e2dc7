#include "kafka/topics/topic_plan.h"

#include <algorithm>
#include <cstdlib>

#include "base/check.h"

namespace dwell {
namespace {

using Test = WantedSetting::Test;
using Weight = WantedSetting::Weight;

constexpr std::uint64_t kOfHeaders = 64 << 10;     // key and headers of a record, at most
constexpr std::uint64_t kBrokerLimit = 1'048'588;  // max.message.bytes of brokers as they come
constexpr std::uint64_t kLargestLimit = 0x7fffffff;
constexpr std::uint64_t kStateSegment = 64 << 20;
constexpr const char* kDirtyRatio = "0.1";
constexpr const char* kLimit = "max.message.bytes";

WantedSetting policy(std::string value, std::string reason) {
  return {"cleanup.policy", std::move(value), Test::equal, Weight::needed, std::move(reason)};
}

WantedSetting limit(std::uint64_t bytes, Weight weight, std::string reason) {
  return {kLimit, std::to_string(bytes), Test::at_least, weight, std::move(reason)};
}

std::vector<WantedSetting> input_settings(std::uint64_t record_bytes) {
  return {policy("delete", "compaction removes events"),
          {"message.timestamp.type", "LogAppendTime", Test::equal, Weight::advised,
           "with another, \"now\" is what the producer's clock says"},
          limit(std::max(kBrokerLimit, record_bytes + kOfHeaders), Weight::initial, "")};
}

std::vector<WantedSetting> keyed_settings(std::uint64_t input_limit) {
  return {policy("delete", "compaction removes events"),
          {"message.timestamp.type", "CreateTime", Test::equal, Weight::needed,
           "a record keeps the time that it has in the input"},
          limit(std::min(input_limit + kOfHeaders, kLargestLimit), Weight::needed,
                "any record of the input has to fit")};
}

// A record that the input took with a time far ahead or behind has to be taken with it again.
std::vector<WantedSetting> times_of(const std::optional<FoundTopic>& input) {
  std::vector<WantedSetting> wanted;
  for (const char* name : {"message.timestamp.after.max.ms", "message.timestamp.before.max.ms"}) {
    if (!input || !input->settings.contains(name)) continue;
    wanted.push_back({name, input->settings.at(name), Test::at_least, Weight::needed,
                      "any record of the input has to fit, with its time"});
  }
  return wanted;
}

std::vector<WantedSetting> cleaned_settings() {
  return {policy("delete", "compaction removes all but a device's last event"),
          limit(kBrokerLimit, Weight::needed, "the cleaner writes batches of this size")};
}

std::vector<WantedSetting> state_settings() {
  return {policy("compact", "states that retention removes are lost"),
          limit(kBrokerLimit, Weight::needed, "the cleaner writes batches of this size"),
          {"segment.bytes", std::to_string(kStateSegment), Test::at_most, Weight::advised,
           "old states are compacted, and a start is fast, segment by segment"},
          {"min.cleanable.dirty.ratio", kDirtyRatio, Test::at_most, Weight::advised,
           "a start reads what compaction leaves"}};
}

std::vector<WantedSetting> rejected_settings(std::uint64_t record_bytes) {
  return {policy("delete", "compaction removes records, and refuses those without a key"),
          limit(record_bytes + kOfHeaders, Weight::needed,
                "any rejected record has to fit, with its headers")};
}

Result<std::optional<FoundTopic>> find(const TopicAdmin& admin, const std::string& topic) {
  const auto layout = admin.layout(topic);
  if (!layout) return pass(layout);
  if (!*layout) return std::optional<FoundTopic>();
  auto settings = admin.settings(topic);
  if (!settings) return pass(settings);
  return std::optional<FoundTopic>({**layout, std::move(*settings)});
}

}  // namespace

bool WantedSetting::is_met(const TopicSettings& found) const {
  const auto is = found.find(name);
  if (is == found.end()) return true;  // a broker that does not know it
  if (test == Test::equal) return is->second == value;
  const double number = std::strtod(is->second.c_str(), nullptr);
  const double bound = std::strtod(value.c_str(), nullptr);
  return test == Test::at_least ? number >= bound : number <= bound;
}

bool has_hop(PartitionedBy partitioned_by, int input_partitions) {
  return partitioned_by == PartitionedBy::none ||
         (partitioned_by == PartitionedBy::automatic && input_partitions > 1);
}

Result<TopicPlan> TopicPlan::make(const TopicPlanOptions& options, const TopicAdmin& admin,
                                  int new_partitions) {
  return make(
      options, [&admin](const std::string& topic) { return find(admin, topic); }, new_partitions);
}

Result<TopicPlan> TopicPlan::make(const TopicPlanOptions& options, const Look& look,
                                  int new_partitions) {
  const auto& names = options.names;
  TopicPlan plan;
  auto input = look(names.input);
  if (!input) return pass(input);
  plan.partitions = *input ? (*input)->layout.partitions : new_partitions;
  plan.has_hop = dwell::has_hop(options.partitioned_by, plan.partitions);
  plan.read_topic = plan.has_hop ? names.keyed : names.input;

  const auto add = [&](std::string role, const std::string& name, std::optional<int> partitions,
                       std::vector<WantedSetting> settings) -> Result<void> {
    auto found = look(name);
    if (!found) return pass(found);
    plan.topics.push_back(
        {{std::move(role), name, partitions, std::move(settings)}, std::move(*found)});
    return {};
  };
  auto of_input = input_settings(options.record_bytes);
  std::uint64_t input_limit = std::strtoull(of_input.back().value.c_str(), nullptr, 10);
  if (*input && (*input)->settings.contains(kLimit)) {
    input_limit = std::strtoull((*input)->settings.at(kLimit).c_str(), nullptr, 10);
  }
  auto of_keyed = keyed_settings(input_limit);
  for (WantedSetting& one : times_of(*input)) of_keyed.push_back(std::move(one));
  plan.topics.push_back(
      {{"input", names.input, plan.partitions, std::move(of_input)}, std::move(*input)});
  if (plan.has_hop) {
    const auto cleaned = look(names.cleaned);
    if (!cleaned) return pass(cleaned);
    if (*cleaned) plan.partitions = (*cleaned)->layout.partitions;
    auto added = add("keyed", names.keyed, plan.partitions, std::move(of_keyed));
    if (!added) return pass(added);
    Topic& keyed = plan.topics.back();
    // The hop may read more or fewer partitions than it writes.
    if (keyed.found) plan.partitions = keyed.found->layout.partitions;
    keyed.wanted.partitions = plan.partitions;
  }
  auto added = add("cleaned", names.cleaned, plan.partitions, cleaned_settings());
  if (added) added = add("state", names.state, plan.partitions, state_settings());
  if (added)
    added = add("rejected", names.rejected, std::nullopt, rejected_settings(options.record_bytes));
  if (!added) return pass(added);
  return plan;
}

const TopicPlan::Topic& TopicPlan::at(std::string_view role) const {
  const auto found = std::find_if(topics.begin(), topics.end(),
                                  [&](const Topic& topic) { return topic.wanted.role == role; });
  CHECK(found != topics.end());
  return *found;
}

}  // namespace dwell
