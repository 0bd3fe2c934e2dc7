#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <spdlog/spdlog.h>

#include "app/commands/topics.h"
#include "app/process/database_door.h"
#include "app/process/log.h"
#include "app/settings/kafka_options.h"
#include "app/settings/units.h"
#include "app/terminal/output.h"
#include "app/terminal/terminal.h"
#include "kafka/topics/topic_plan.h"
#include "postgres/postgres_store.h"

namespace dwell {
namespace {

// Those that decide what is kept, how long, and what fits.
constexpr std::array<const char*, 8> kShown{"cleanup.policy",
                                            "message.timestamp.type",
                                            "max.message.bytes",
                                            "retention.ms",
                                            "retention.bytes",
                                            "segment.bytes",
                                            "min.cleanable.dirty.ratio",
                                            "min.insync.replicas"};

struct TopicView {
  TopicPlan::Topic topic;
  std::vector<KafkaClient::Offsets> offsets;  // of its partitions
};

// A group and the topic it reads.
struct GroupView {
  std::string group;
  std::string topic;
  std::size_t members = 0;
  std::vector<std::optional<Offset>> committed;
  std::vector<KafkaClient::Offsets> offsets;  // of the topic

  // What is still to be read. Ends of transactions have offsets too: it may be above 0 at the end.
  Offset lag(std::size_t partition) const {
    const auto& [low, high] = offsets[partition];
    return high - std::clamp(committed[partition].value_or(low), low, high);
  }
};

// Without what it has committed.
Result<GroupView> view_members(const TopicAdmin& admin, std::string group, const TopicView& read) {
  GroupView view{std::move(group), read.topic.wanted.name, 0, {}, read.offsets};
  const auto members = admin.members(view.group);
  if (!members) return pass(members);
  view.members = members->size();
  return view;
}

Result<GroupView> view_group(const TopicAdmin& admin, std::string group, const TopicView& read) {
  auto view = view_members(admin, std::move(group), read);
  if (!view) return view;
  auto committed = admin.committed(view->group, view->topic, static_cast<int>(read.offsets.size()));
  if (!committed) return pass(committed);
  view->committed = std::move(*committed);
  return view;
}

// How far `dwell store` is, which the database knows. None where no database is named, or where it
// cannot be asked, which the log says.
Result<std::optional<GroupView>> view_store(const Config& config, const TopicAdmin& admin,
                                            const TopicView& read) {
  if (config.database_url == "default") return std::optional<GroupView>();
  auto view = view_members(admin, config.store_group, read);
  if (!view) return pass(view);
  auto database = PgConnection::open(postgres_options(config));
  Result<std::vector<std::optional<Offset>>> stored;
  if (database) stored = stored_offsets(**database, view->topic, read.offsets.size());
  const auto* error = !database ? &database.error() : !stored ? &stored.error() : nullptr;
  if (error) {
    spdlog::warn("how far `dwell store` is: {}", error->message);
    return std::optional<GroupView>();
  }
  view->committed = std::move(*stored);
  return std::optional(std::move(*view));
}

std::string number(std::optional<Offset> offset) {
  return offset ? std::to_string(*offset) : "-";
}

Result<void> print_tables(const std::vector<TopicView>& topics,
                          const std::vector<GroupView>& groups) {
  const Terminal terminal = Terminal::of(stdout);
  TextTable offsets({{"topic"},
                     {"role"},
                     {"partition", true},
                     {"replicas", true},
                     {"first", true},
                     {"end", true}});
  TextTable settings({{"topic"}, {"setting"}, {"value"}});
  for (const TopicView& view : topics) {
    const auto& [wanted, found] = view.topic;
    if (!found) offsets.add({wanted.name, wanted.role, "missing", "", "", ""});
    for (std::size_t i = 0; i < view.offsets.size(); ++i) {
      offsets.add({wanted.name, wanted.role, std::to_string(i),
                   std::to_string(found->layout.replication), std::to_string(view.offsets[i].low),
                   std::to_string(view.offsets[i].high)});
    }
    for (const char* name : kShown) {
      if (!found || !found->settings.contains(name)) continue;
      settings.add({wanted.name, name, found->settings.at(name)});
    }
  }
  TextTable lags({{"group"},
                  {"members", true},
                  {"topic"},
                  {"partition", true},
                  {"committed", true},
                  {"end", true},
                  {"lag", true}});
  for (const GroupView& view : groups) {
    for (std::size_t i = 0; i < view.offsets.size(); ++i) {
      lags.add({view.group, std::to_string(view.members), view.topic, std::to_string(i),
                number(view.committed[i]), std::to_string(view.offsets[i].high),
                std::to_string(view.lag(i))});
    }
  }
  return print(fmt::format("{}\n{}\n{}", offsets.render(terminal), settings.render(terminal),
                           lags.render(terminal)));
}

boost::json::object json_of(const TopicView& view) {
  const auto& [wanted, found] = view.topic;
  boost::json::object topic{{"topic", wanted.name}, {"role", wanted.role}};
  topic["replicas"] = found ? found->layout.replication : 0;
  boost::json::array partitions;
  for (std::size_t i = 0; i < view.offsets.size(); ++i) {
    partitions.push_back(boost::json::object{
        {"partition", i}, {"first", view.offsets[i].low}, {"end", view.offsets[i].high}});
  }
  topic["partitions"] = std::move(partitions);
  boost::json::object settings;
  for (const char* name : kShown) {
    if (found && found->settings.contains(name)) settings[name] = found->settings.at(name);
  }
  topic["settings"] = std::move(settings);
  return topic;
}

boost::json::object json_of(const GroupView& view) {
  boost::json::array partitions;
  for (std::size_t i = 0; i < view.offsets.size(); ++i) {
    boost::json::object partition{{"partition", i}, {"committed", nullptr}};
    if (view.committed[i]) partition["committed"] = *view.committed[i];
    partition["end"] = view.offsets[i].high;
    partition["lag"] = view.lag(i);
    partitions.push_back(std::move(partition));
  }
  return {{"group", view.group},
          {"members", view.members},
          {"topic", view.topic},
          {"partitions", std::move(partitions)}};
}

Result<void> print_json(const std::vector<TopicView>& topics,
                        const std::vector<GroupView>& groups) {
  boost::json::array of_topics;
  for (const TopicView& view : topics) of_topics.push_back(json_of(view));
  boost::json::array of_groups;
  for (const GroupView& view : groups) of_groups.push_back(json_of(view));
  return print_document(
      boost::json::object{{"topics", std::move(of_topics)}, {"groups", std::move(of_groups)}});
}

}  // namespace

Result<void> describe_topics(const Config& config, Format format) {
  const Log log(kMessages);
  const auto admin = TopicAdmin::open(kafka_options(config));
  if (!admin) return pass(admin);
  auto plan = TopicPlan::make(topic_plan_options(config), *admin, 1);
  if (!plan) return pass(plan);
  std::vector<TopicView> topics;
  std::vector<GroupView> groups;
  for (const TopicPlan::Topic& topic : plan->topics) {
    TopicView view{topic, {}};
    if (topic.found) {
      auto offsets = admin->offsets(topic.wanted.name, topic.found->layout.partitions);
      if (!offsets) return pass(offsets);
      view.offsets = std::move(*offsets);
    }
    const bool is_read = topic.wanted.name == plan->read_topic;
    const bool is_hopped = plan->has_hop && topic.wanted.role == "input";
    if (topic.found && (is_read || is_hopped)) {
      auto group = view_group(*admin, config.group + (is_read ? "" : "-key"), view);
      if (!group) return pass(group);
      groups.push_back(std::move(*group));
    }
    if (topic.found && topic.wanted.role == "cleaned") {
      auto store = view_store(config, *admin, view);
      if (!store) return pass(store);
      if (*store) groups.push_back(std::move(**store));
    }
    topics.push_back(std::move(view));
  }
  return format == Format::json ? print_json(topics, groups) : print_tables(topics, groups);
}

}  // namespace dwell
