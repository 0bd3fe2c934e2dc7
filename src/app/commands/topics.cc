#include "app/commands/topics.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <thread>

#include "app/commands/argument_checks.h"
#include "app/commands/commands.h"
#include "app/commands/topic_facts_setup.h"
#include "app/commands/topic_keys.h"
#include "app/process/log.h"
#include "app/process/topic_settings.h"
#include "app/settings/kafka_options.h"
#include "app/settings/units.h"
#include "app/terminal/output.h"
#include "kafka/topics/topic_plan.h"

namespace dwell {
namespace {

struct TopicsArguments {
  std::optional<int> partitions;  // of a new input
  int replication = 1;            // of new topics
  bool is_confirmed = false;      // a reset without it only says what it would do
  Format format = Format::table;
};

constexpr int kMostPartitions = 10'000;
constexpr std::size_t kMostGroups = 200;  // that a check looks at
constexpr int kMostCopies = 100;

using SteadyClock = std::chrono::steady_clock;

// For brokers that elect a controller: only that one makes topics, and its death is noticed by the
// others when its session with them ends.
constexpr std::chrono::milliseconds kElection{30'000};
constexpr Milliseconds kGrace = std::chrono::seconds(2);  // behind the end of a session
constexpr std::chrono::milliseconds kLookAgain{200};

constexpr const char* kWhyFixed =
    "states and records belong to the partition of their input, and a device whose records changed "
    "partition would start anew";

std::string counted(std::size_t count, std::string_view what) {
  return fmt::format("{} {}{}", format_count(count), what, count == 1 ? "" : "s");
}

std::string partitions(int count) {
  return counted(static_cast<std::size_t>(count), "partition");
}

std::string settings_line(const std::vector<WantedSetting>& settings) {
  std::string line;
  for (const WantedSetting& setting : settings) {
    line += fmt::format("{}{}={}", line.empty() ? "" : " ", setting.name, setting.value);
  }
  return line;
}

// Whether `--partitions` and the topics that are there can be had together.
Result<void> check_counts(const TopicPlan& plan, const TopicsArguments& arguments) {
  const auto& input = plan.at("input");
  if (input.found && arguments.partitions) {
    const int is = input.found->layout.partitions;
    if (*arguments.partitions > is) {
      return fail(ErrorKind::invalid,
                  "topic {} has {} and cannot grow to {}: {}; a later release will have a command "
                  "for it",
                  input.wanted.name, partitions(is), *arguments.partitions, kWhyFixed);
    }
    if (*arguments.partitions < is) {
      return fail(ErrorKind::invalid,
                  "topic {} has {} and cannot shrink to {}: Kafka cannot take partitions away",
                  input.wanted.name, partitions(is), *arguments.partitions);
    }
  }
  for (const auto& [wanted, found] : plan.topics) {
    if (!found || !wanted.partitions || *wanted.partitions == found->layout.partitions) continue;
    return fail(ErrorKind::invalid,
                "topic {} has {}, topic {} has {}: {}; `dwell topics check` says what to do",
                wanted.name, partitions(found->layout.partitions), plan.read_topic,
                *wanted.partitions, kWhyFixed);
  }
  return {};
}

// The lines of one check, and how many of them are about what does not work.
struct Findings {
  std::string lines;
  int wrong = 0;

  void add_wrong(std::string_view text) {
    lines += fmt::format("wrong: {}\n", text);
    ++wrong;
  }
  void add_warning(std::string_view text) { lines += fmt::format("WARNING: {}\n", text); }
};

void check_settings(const Config& config, const WantedTopic& wanted, const FoundTopic& found,
                    Findings& findings) {
  for (const WantedSetting& setting : wanted.settings) {
    if (setting.weight == WantedSetting::Weight::initial || setting.is_met(found.settings)) {
      continue;
    }
    constexpr std::array<const char*, 3> kTests{"", "at least ", "at most "};
    const auto text = fmt::format(
        "topic {}: {} is {}, should be {}{}: {}; kafka-configs.sh --bootstrap-server {} --alter "
        "--entity-type topics --entity-name {} --add-config {}={}",
        wanted.name, setting.name, found.settings.at(setting.name),
        kTests[static_cast<std::size_t>(setting.test)], setting.value, setting.reason,
        config.brokers, wanted.name, setting.name, setting.value);
    if (setting.weight == WantedSetting::Weight::needed) {
      findings.add_wrong(text);
    } else {
      findings.add_warning(text);
    }
  }
}

Result<bool> is_empty(const TopicAdmin& admin, const std::string& topic, int partitions) {
  const auto offsets = admin.offsets(topic, partitions);
  if (!offsets) return pass(offsets);
  return std::all_of(offsets->begin(), offsets->end(),
                     [](const KafkaClient::Offsets& one) { return one.low == one.high; });
}

// How to go on where `topic`, which is not empty, has not the partitions of the one that is read.
std::string mend_of(const Config& config, const TopicPlan& plan, const TopicPlan::Topic& topic) {
  const int wanted = *topic.wanted.partitions;
  if (!plan.has_hop && topic.found->layout.partitions < wanted) {
    return fmt::format(
        "if topic {} has grown, set input.partitioned_by = none, then `dwell topics create` and "
        "`dwell topics reset`: its records are copied to topic {} by their device",
        plan.read_topic, config.topics.keyed);
  }
  return fmt::format(
      "give {}topics.cleaned, topics.state and clean.group new names, then `dwell topics create`: "
      "the input is cleaned from its beginning",
      plan.has_hop ? "topics.keyed, " : "");
}

Result<void> check_partitions(const Config& config, const TopicAdmin& admin, const TopicPlan& plan,
                              const TopicPlan::Topic& topic, Findings& findings) {
  const auto& [wanted, found] = topic;
  const int is = found->layout.partitions;
  if (!wanted.partitions || *wanted.partitions == is) return {};
  const auto empty = is_empty(admin, wanted.name, is);
  if (!empty) return pass(empty);
  const auto mend =
      *empty ? fmt::format(
                   "it is empty: kafka-topics.sh --bootstrap-server {} --delete --topic {}, "
                   "then `dwell topics create`",
                   config.brokers, wanted.name)
             : mend_of(config, plan, topic);
  findings.add_wrong(fmt::format("topic {} has {}, topic {} has {}: {}; {}", wanted.name,
                                 partitions(is), plan.read_topic, *wanted.partitions, kWhyFixed,
                                 mend));
  return {};
}

std::string sink_line(const Config& config) {
  const auto& cleaned = config.topics.cleaned;
  if (config.rule.order == Order::event_time) {
    return fmt::format(
        "order.mode is event_time: the stock Kafka Connect JDBC sink cannot be used behind topic "
        "{}, since it ignores headers (retracts, rank)\n",
        cleaned);
  }
  return fmt::format(
      "order.mode is arrival: the stock Kafka Connect JDBC sink may be used behind topic {}, with "
      "isolation.level = read_committed and upserts on (device_id, timestamp, event_type); equal "
      "milliseconds then come in type order\n",
      cleaned);
}

// Groups besides Dwell's own that have read the cleaned topic, in event time.
Result<void> warn_of_readers(const Config& config, const TopicAdmin& admin, int partitions,
                             Findings& findings) {
  const auto& cleaned = config.topics.cleaned;
  auto groups = admin.groups();
  if (!groups) return pass(groups);
  std::erase(*groups, config.store_group);
  const std::size_t looked_at = std::min(groups->size(), kMostGroups);
  for (std::size_t i = 0; i < looked_at; ++i) {
    const auto& group = (*groups)[i];
    const auto committed = admin.committed(group, cleaned, partitions);
    if (!committed) return pass(committed);
    const bool reads = std::any_of(committed->begin(), committed->end(),
                                   [](const auto& offset) { return offset.has_value(); });
    if (!reads) continue;
    findings.add_warning(fmt::format(
        "group {} reads topic {}, which is of order event_time: its reader must take a row back "
        "when the header op is retract, else it keeps rows that were corrected",
        group, cleaned));
  }
  if (looked_at < groups->size()) {
    findings.add_warning(fmt::format("looked at {} of {} groups for readers of topic {}",
                                     format_count(looked_at), format_count(groups->size()),
                                     cleaned));
  }
  return {};
}

// Whether the newest records of an input that is partitioned by device have their device as key.
Result<void> check_keys(const Config& effective, const TopicAdmin& admin, const TopicPlan& plan,
                        Findings& findings) {
  const auto& input = plan.at("input").found;
  if (effective.partitioned_by != PartitionedBy::device || !input) return {};
  const auto seen = look_at_keys(effective, admin, input->layout.partitions);
  if (!seen) return pass(seen);
  const auto& topic = effective.topics.input;
  if (seen->miskeyed == 0) {
    findings.lines += fmt::format("topic {}: looked at the keys of the newest {}\n", topic,
                                  counted(seen->records, "record"));
    return {};
  }
  findings.add_wrong(fmt::format(
      "topic {}: {} of the newest {} have a key that is not their device id, such as {}: key them "
      "by device, or set input.partitioned_by = none, then `dwell topics create`",
      topic, format_count(seen->miskeyed), counted(seen->records, "record"), seen->first));
  return {};
}

// The settings of `dwell clean` with the topics as they are.
Result<Config> settings_in_effect(const Config& config, const TopicPlan& plan, Findings& findings) {
  const auto& topic = config.topics.state;
  if (!plan.at("state").found) return with_facts(config, new_facts(config));
  const auto facts = read_facts(kafka_options(config), topic);
  if (!facts) return pass(facts);
  auto effective = with_facts(config, *facts);
  if (*facts || !effective) return effective;
  findings.add_warning(
      fmt::format("topic {} has no record of facts, so that records are read as the first release "
                  "did: `dwell topics upgrade` writes it",
                  topic));
  const auto order = order_of_states(config, plan);
  if (!order) return pass(order);
  if (*order) {
    if (auto kept = check_order(config, name(**order)); !kept) return pass(kept);
    effective->rule.order = **order;
  }
  return effective;
}

// What a reset takes away.
struct Reset {
  int state_partitions = 0;
  Offset states = 0;                   // records at most: offsets in use
  std::vector<PartitionId> committed;  // partitions that the group has an offset for
};

Result<Reset> look(const Config& config, const TopicAdmin& admin, const TopicPlan& plan) {
  Reset reset;
  if (const auto& state = plan.at("state").found) {
    reset.state_partitions = state->layout.partitions;
    const auto offsets = admin.offsets(config.topics.state, reset.state_partitions);
    if (!offsets) return pass(offsets);
    for (const auto& one : *offsets) reset.states += one.high - one.low;
  }
  const auto committed = admin.committed(config.group, plan.read_topic, plan.partitions);
  if (!committed) return pass(committed);
  for (std::size_t i = 0; i < committed->size(); ++i) {
    if ((*committed)[i]) reset.committed.push_back(static_cast<PartitionId>(i));
  }
  return reset;
}

// Members that do not answer any more are given the time to be given up. `may_stay`: those that are
// in nobody's way.
Result<void> wait_for_no_members(const TopicAdmin& admin, const std::string& group,
                                 Milliseconds session,
                                 const std::function<bool(const TopicAdmin::Member&)>& may_stay,
                                 std::string_view mend) {
  const Milliseconds longest = session + kGrace;
  const auto deadline = SteadyClock::now() + longest;
  bool was_told = false;
  for (;;) {
    auto members = admin.members(group);
    if (!members) return pass(members);
    std::erase_if(*members, may_stay);
    if (members->empty()) return {};
    if (SteadyClock::now() > deadline) {
      return fail(ErrorKind::fatal, "group {} has {}, such as {}: {}; nothing was changed", group,
                  counted(members->size(), "live member"), members->front().name, mend);
    }
    if (!was_told) {
      tell(fmt::format("group {} has members; waiting up to {} for those whose process ended\n",
                       group, format_duration(longest)));
    }
    was_told = true;
    std::this_thread::sleep_for(kLookAgain);
  }
}

Result<void> wait_for_nobody(const TopicAdmin& admin, const std::string& group,
                             Milliseconds session) {
  return wait_for_no_members(
      admin, group, session, [](const auto&) { return false; },
      "stop every `dwell clean` of the group first");
}

// Those that know only rules before `version`.
Result<void> wait_for_no_old_members(const TopicAdmin& admin, const std::string& group,
                                     Milliseconds session, std::uint32_t version) {
  const auto knows_rule = [version](const TopicAdmin::Member& member) {
    return rule_of_member(member.instance) >= version;
  };
  return wait_for_no_members(
      admin, group, session, knows_rule,
      "it is of an older release: replace it by a `dwell clean` of this one, "
      "or stop it, first");
}

// Makes the topics that are missing.
Result<void> create_topics(const Config& config, const TopicsArguments& arguments) {
  const Log log(kMessages);
  const auto admin = TopicAdmin::open(kafka_options(config), kElection);
  if (!admin) return pass(admin);
  auto plan = TopicPlan::make(topic_plan_options(config), *admin, arguments.partitions.value_or(1));
  if (!plan) return pass(plan);
  if (auto checked = check_counts(*plan, arguments); !checked) return checked;
  std::string made_before;
  for (const auto& [wanted, found] : plan->topics) {
    if (found) {
      auto printed = print(fmt::format("topic {} was there, with {}\n", wanted.name,
                                       partitions(found->layout.partitions)));
      if (!printed) return printed;
      continue;
    }
    NewTopic topic{wanted.name, wanted.partitions.value_or(1), arguments.replication, {}};
    for (const WantedSetting& setting : wanted.settings) {
      topic.settings[setting.name] = setting.value;
    }
    const auto made = admin->create(topic);
    if (!made) {
      return fail(
          made.error().kind, "{}{}{}", made.error().message,
          made_before.empty() ? "" : "; run it again for the rest: these were made: ", made_before);
    }
    auto printed =
        *made ? print(fmt::format("topic {} made, with {}, {}\n", wanted.name,
                                  partitions(topic.partitions), settings_line(wanted.settings)))
              : print(fmt::format("topic {} was made by somebody else meanwhile\n", wanted.name));
    if (!printed) return printed;
    made_before += (made_before.empty() ? "" : ", ") + wanted.name;
  }
  // As they are now, whoever made them.
  plan = TopicPlan::make(topic_plan_options(config), *admin, arguments.partitions.value_or(1));
  if (!plan) return pass(plan);
  if (auto checked = check_counts(*plan, arguments); !checked) return checked;
  const auto told = set_up_facts(config, *admin, *plan);
  if (!told) return pass(told);
  return print(*told);
}

// Fails when `dwell clean` cannot work with the topics as they are.
Result<void> check_topics(const Config& config) {
  const Log log(kMessages);
  const auto admin = TopicAdmin::open(kafka_options(config));
  if (!admin) return pass(admin);
  auto plan = TopicPlan::make(topic_plan_options(config), *admin, 1);
  if (!plan) return pass(plan);
  Findings findings;
  const bool has_input = plan->at("input").found.has_value();
  for (const TopicPlan::Topic& topic : plan->topics) {
    if (!topic.found) {
      findings.add_wrong(
          fmt::format("topic {} is missing: `dwell topics create` makes it", topic.wanted.name));
      continue;
    }
    if (has_input) {
      auto checked = check_partitions(config, *admin, *plan, topic, findings);
      if (!checked) return checked;
    }
    check_settings(config, topic.wanted, *topic.found, findings);
  }
  const auto effective = settings_in_effect(config, *plan, findings);
  if (!effective) {
    if (effective.error().kind != ErrorKind::invalid) return pass(effective);
    findings.add_wrong(effective.error().message);
  } else {
    if (auto looked = check_keys(*effective, *admin, *plan, findings); !looked) return looked;
    findings.lines += sink_line(*effective);
    const auto& cleaned = plan->at("cleaned").found;
    if (cleaned && effective->rule.order == Order::event_time) {
      auto warned = warn_of_readers(config, *admin, cleaned->layout.partitions, findings);
      if (!warned) return warned;
    }
  }
  if (findings.wrong == 0) {
    findings.lines +=
        fmt::format("ok: `dwell clean` can work with these {} topics\n", plan->topics.size());
  }
  if (auto printed = print(findings.lines); !printed) return printed;
  if (findings.wrong == 0) return {};
  return fail(ErrorKind::fatal, "the topics cannot be used as they are; {} above",
              counted(static_cast<std::size_t>(findings.wrong), "reason"));
}

// Brings topics of the first release up to the rule of this one.
Result<void> upgrade_topics(const Config& config) {
  const Log log(kMessages);
  const auto admin = TopicAdmin::open(kafka_options(config));
  if (!admin) return pass(admin);
  auto plan = TopicPlan::make(topic_plan_options(config), *admin, 1);
  if (!plan) return pass(plan);
  const auto& topic = config.topics.state;
  if (!plan->at("state").found) {
    return fail(ErrorKind::not_found, "topic {} is missing: `dwell topics create` makes it", topic);
  }
  const auto found = read_facts(kafka_options(config), topic);
  if (!found) return pass(found);
  if (*found)
    return print(fmt::format("topic {} is of rule {} already\n", topic, (*found)->rule_version));
  for (const auto& group : {config.group, config.group + "-key"}) {
    auto gone = wait_for_no_old_members(*admin, group, config.session_timeout, kRuleVersion);
    if (!gone) return gone;
  }
  const auto facts = facts_of_upgrade(config, *plan);
  if (!facts) return pass(facts);
  const auto written = write_facts(kafka_options(config), topic, *facts);
  if (!written) return pass(written);
  std::string lines =
      fmt::format("topic {} is of rule {} from now on:\n", topic, facts->rule_version);
  for (const auto& [key, value] : facts->settings) lines += fmt::format("  {} = {}\n", key, value);
  lines +=
      "a `dwell clean` that runs takes it over the next time that partitions are given out, or "
      "when it is started again\n";
  return print(lines);
}

// Forgets states and offsets, so that `dwell clean` starts at the beginning of its input.
Result<void> reset_topics(const Config& config, const TopicsArguments& arguments) {
  const Log log(kMessages);
  const auto admin = TopicAdmin::open(kafka_options(config));
  if (!admin) return pass(admin);
  auto plan = TopicPlan::make(topic_plan_options(config), *admin, 1);
  if (!plan) return pass(plan);
  const auto reset = look(config, *admin, *plan);
  if (!reset) return pass(reset);
  const auto& topics = config.topics;
  const auto what =
      fmt::format("{}: the states in topic {} ({}), and the offsets of group {} in topic {} ({})",
                  arguments.is_confirmed ? "deleted" : "would delete", topics.state,
                  counted(static_cast<std::size_t>(reset->states), "record"), config.group,
                  plan->read_topic, counted(reset->committed.size(), "partition"));
  if (!arguments.is_confirmed) {
    auto printed = print(fmt::format(
        "{}\n`dwell clean` would start again at the beginning of topic {}, as far back as its "
        "retention reaches: cleaned records come a second time in topic {}, with seq from 1; a "
        "store keyed on (device_id, timestamp, event_type) absorbs them\ntopics {}, {} and {} stay "
        "as they are\n",
        what, plan->read_topic, topics.cleaned, plan->read_topic, topics.cleaned, topics.rejected));
    if (!printed) return printed;
    return fail(ErrorKind::invalid, "nothing was changed; `dwell topics reset --yes` does it");
  }
  if (auto gone = wait_for_nobody(*admin, config.group, config.session_timeout); !gone) return gone;
  // In this order: a reset that was killed can be run again, and knows the order of the states.
  // Between the last two there are offsets without states, which `dwell clean` refuses.
  if (reset->state_partitions > 0) {
    const auto facts = facts_after_reset(config, *plan);
    if (!facts) return pass(facts);
    const auto written = write_facts(kafka_options(config), topics.state, *facts);
    if (!written) return pass(written);
    auto emptied = admin->empty_compacted(topics.state, reset->state_partitions, *written);
    if (!emptied) return emptied;
  }
  auto forgotten = admin->delete_committed(config.group, plan->read_topic, reset->committed);
  if (!forgotten) {
    return fail(forgotten.error().kind,
                "{}; the states are deleted, the offsets are not: `dwell clean` refuses to start "
                "until `dwell topics reset --yes` has come to its end",
                forgotten.error().message);
  }
  return print(fmt::format("{}\n`dwell clean` starts again at the beginning of topic {}\n", what,
                           plan->read_topic));
}

}  // namespace

void add_topics(CommandSet& commands) {
  Command topics =
      commands.add("topics", "Make, check, describe, upgrade and reset the topics of `clean`");
  const auto arguments = std::make_shared<TopicsArguments>();
  const SettingKeys settings = {
      "brokers",     "kafka.", "topics.",    "clean.group",   "clean.session_timeout",
      "store.group", "input.", "order.mode", "clock.earliest"};
  const auto add_with = [&](const char* name, const char* help, const SettingKeys& of_command,
                            auto action) -> Command {
    return commands.add(topics, name, help, of_command, [arguments, action](const Config& config) {
      return action(config, *arguments);
    });
  };
  const auto add = [&](const char* name, const char* help, auto action) {
    return add_with(name, help, settings, action);
  };
  Command create = add("create", "Make the topics that are missing", create_topics);
  create
      .add("--partitions", arguments->partitions,
           "Of the input, if it is made, and of those that follow it [1]")
      .number()
      .between(1, kMostPartitions);
  create.add("--replication", arguments->replication, "Copies of each partition")
      .number()
      .between(1, kMostCopies)
      .shows_default();
  add("check", "Say what is wrong with the topics, and the command that mends it",
      [](const Config& config, const TopicsArguments&) { return check_topics(config); });
  auto with_database = settings;
  with_database.emplace_back("database.url");
  Command describe =
      add_with("describe", "Show offsets, settings and how far the groups are", with_database,
               [](const Config& config, const TopicsArguments& given) {
                 return describe_topics(config, given.format);
               });
  describe.add_json(arguments->format);
  add("upgrade", "Let topics of the first release go on under the rule of this one",
      [](const Config& config, const TopicsArguments&) { return upgrade_topics(config); });
  add("reset", "Forget states and offsets, to start at the input's beginning", reset_topics)
      .add_switch("--yes", arguments->is_confirmed, "Do it, instead of saying what it would do");
}

}  // namespace dwell
