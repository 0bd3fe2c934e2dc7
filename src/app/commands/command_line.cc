#include "app/commands/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <exception>
#include <fmt/format.h>
#include <unistd.h>

#include "app/commands/argument_checks.h"
#include "app/commands/commands.h"
#include "app/commands/usage_error.h"
#include "app/roles/roles.h"
#include "app/settings/units.h"
#include "app/terminal/exit_status.h"
#include "app/terminal/output.h"
#include "base/printable.h"
#include "kafka/topics/redrive_options.h"

namespace dwell {
namespace {

constexpr int kMostListed = 10'000;
constexpr int kMostPartitions = 10'000;
constexpr int kMostCopies = 100;
constexpr int kMostSteps = 1'000;

int finish(const Result<void>& result) {
  if (result) return 0;
  tell(fmt::format("dwell: {}\n", printable(result.error().message)));
  return exit_status(result.error());
}

int report(const Problems& problems) {
  for (const std::string& problem : problems) {
    tell(fmt::format("dwell: {}\n", printable(problem)));
  }
  return kUsage;
}

std::vector<std::string> environment() {
  std::vector<std::string> all;
  for (char** entry = environ; *entry; ++entry) all.emplace_back(*entry);
  return all;
}

// The parsed command line: which command, its arguments, and the settings given as flags.
class CommandLine {
 public:
  CommandLine() : app_("Turns unreliable device events into a presence history to trust.") {
    app_.name("dwell");
    app_.require_subcommand(1);
    app_.footer(
        "Settings come from a TOML file, then DWELL_* variables, then flags.\n"
        "`dwell config` shows the effective ones and where each comes from. Others see the flags "
        "of a\n"
        "process (ps): give secrets in the file or in variables.");
    add_run();
    add_clean();
    add_store();
    add_serve();
    add_topics();
    add_migrate();
    add_replay();
    add_timeline();
    add_who();
    add_rejects();
    add_generate();
    add_check();
    add_config();
    app_.set_version_flag("--version", "dwell " DWELL_VERSION);
    add_command(app_, "version", "Print the version", [] { return finish(print(version())); });
  }

  int run(int argc, char** argv) {
    try {
      app_.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      if (error.get_exit_code() != 0) {
        tell(usage_error(app_, error, {argv, static_cast<std::size_t>(argc)}));
        return kUsage;
      }
      app_.exit(error);  // help was asked for
      return finish(print(""));
    }
    return action_();
  }

 private:
  static std::string version() { return "dwell " DWELL_VERSION "\n"; }

  CLI::App* add_command(const std::string& name, const std::string& help,
                        std::function<int()> action) {
    return add_command(app_, name, help, std::move(action));
  }

  CLI::App* add_command(CLI::App& parent, const std::string& name, const std::string& help,
                        std::function<int()> action) {
    CLI::App* command = parent.add_subcommand(name, help);
    command->callback([this, command, action = std::move(action)] {
      // A command that was given one of its own leaves it to that.
      if (command->get_subcommands().empty()) action_ = action;
    });
    return command;
  }

  // A command that needs the settings whose keys begin with one of `prefixes`.
  CLI::App* add_configured(const std::string& name, const std::string& help,
                           const std::vector<std::string>& prefixes,
                           std::function<Result<void>(const LoadedConfig&)> action) {
    return add_configured(app_, name, help, prefixes, std::move(action));
  }

  CLI::App* add_configured(CLI::App& parent, const std::string& name, const std::string& help,
                           const std::vector<std::string>& prefixes,
                           std::function<Result<void>(const LoadedConfig&)> action) {
    CLI::App* command = add_command(parent, name, help, [this, action = std::move(action)] {
      Problems problems;
      const LoadedConfig loaded = load(problems);
      return problems.empty() ? finish(action(loaded)) : report(problems);
    });
    command->add_option("--config", config_path_, "Read settings from this TOML file")
        ->envname("DWELL_CONFIG")
        ->group("Settings");
    for (const Setting& setting : settings()) {
      const bool is_needed =
          std::any_of(prefixes.begin(), prefixes.end(),
                      [&](const std::string& prefix) { return setting.key.starts_with(prefix); });
      if (is_needed) add_setting(*command, setting);
    }
    return command;
  }

  void add_setting(CLI::App& command, const Setting& setting) {
    const auto help =
        fmt::format("{} [{}; default {}]", setting.help, setting.expected, setting.show(Config()));
    command
        .add_option_function<std::string>(
            setting.flag,
            [this, &setting](const std::string& value) {
              if (setting.is_family) {
                // NAME=VALUE; what has no name is refused under the key that stands for any.
                const auto equals = value.find('=');
                const bool has_name = equals != std::string::npos && equals > 0;
                flags_.push_back({has_name ? std::string(setting.family()) + value.substr(0, equals)
                                           : setting.key,
                                  has_name ? value.substr(equals + 1) : "",
                                  "flag " + setting.flag});
              } else {
                flags_.push_back({setting.key, value, "flag " + setting.flag});
              }
            },
            help)
        ->trigger_on_parse()
        ->group("Settings");
  }

  LoadedConfig load(Problems& problems) const {
    std::vector<Assignment> all;
    if (!config_path_.empty()) all = read_config_file(settings(), config_path_, problems);
    const auto variables = environment();
    const auto of_environment = read_environment(settings(), variables, problems);
    all.insert(all.end(), of_environment.begin(), of_environment.end());
    all.insert(all.end(), flags_.begin(), flags_.end());
    return apply(settings(), all, problems);
  }

  void add_json(CLI::App& command, Format& format) {
    command.add_flag_callback(
        "--json", [&format] { format = Format::json; }, "Print JSON");
  }
  void add_csv(CLI::App& command, Format& format) {
    command
        .add_flag_callback(
            "--csv", [&format] { format = Format::csv; }, "Print CSV")
        ->excludes("--json");
  }

  void add_time(CLI::App& command, const std::string& flag, const std::string& help,
                std::function<void(Timestamp)> set) {
    command
        .add_option_function<std::string>(
            flag, [set](const std::string& text) { set(*parse_rfc3339(text)); }, help)
        ->check(CLI::Validator(check_time, "TIME"))
        ->type_name("");
  }

  void add_run() {
    auto* command = add_configured(
        "run",
        "Take events in and answer questions, all in one process: over a file of its own, or "
        "between Kafka and PostgreSQL once `brokers` is set",
        {"db.", "rejects.", "brokers", "kafka.", "topics.", "instance.", "clean.", "checkpoint.",
         "order.", "first_exit", "duplicate.", "clock.", "input.", "batch.", "store.", "database.",
         "serve.", "http."},
        [this](const LoadedConfig& loaded) { return run_as(loaded); });
    command->add_option("--from", from_,
                        "Follow this file as it grows and is rotated; - is standard input");
    command
        ->add_option("--roles", roles_,
                     "Which of clean, store and serve this process does between Kafka and "
                     "PostgreSQL; all of them once `brokers` is set")
        ->delimiter(',')
        ->check(CLI::IsMember({"clean", "store", "serve"}))
        ->excludes("--from");
  }

  // In one file, unless there are brokers.
  Result<void> run_as(const LoadedConfig& loaded) const {
    if (roles_.empty() && (loaded.is_default("brokers") || !from_.empty())) {
      return run_embedded(loaded, from_);
    }
    const auto has = [this](const char* role) {
      return roles_.empty() || std::find(roles_.begin(), roles_.end(), role) != roles_.end();
    };
    return run_roles(loaded.config, {has("clean"), has("store"), has("serve")});
  }

  void add_clean() {
    add_configured("clean", "Clean the events of a Kafka topic into another, exactly once",
                   {"brokers", "kafka.", "topics.", "instance.", "clean.", "checkpoint.", "order.",
                    "first_exit", "duplicate.", "clock.", "input.", "batch."},
                   [](const LoadedConfig& loaded) { return clean(loaded.config); });
  }

  void add_store() {
    auto* command = add_configured(
        "store", "Store the events of the cleaned topic in PostgreSQL, exactly once",
        {"brokers", "kafka.", "topics.cleaned", "topics.state", "topics.rejected", "instance.",
         "store.", "database.", "clean.session_timeout", "input.max_record", "batch."},
        [](const LoadedConfig& loaded) { return store(loaded.config); });
    auto* reset = add_configured(
        *command, "reset", "Forget how far the topic was read, to start at its beginning",
        {"topics.cleaned", "database."}, [this](const LoadedConfig& loaded) {
          return reset_store(loaded.config, store_reset_is_confirmed_);
        });
    reset->add_flag("--yes", store_reset_is_confirmed_,
                    "Do it, instead of saying what it would do");
  }

  void add_serve() {
    add_configured("serve", "Answer questions from PostgreSQL over HTTP, and take events in",
                   {"brokers", "kafka.", "topics.input", "topics.keyed", "topics.cleaned", "input.",
                    "clean.group", "database.", "serve.", "http."},
                   [](const LoadedConfig& loaded) { return serve(loaded.config); });
  }

  void add_migrate() {
    CLI::App& migrate = *app_.add_subcommand(
        "migrate", "Bring the PostgreSQL database up to this release, or back");
    migrate.require_subcommand(1);
    const auto add = [&](const char* name, const char* help, auto action) {
      return add_configured(migrate, name, help, {"database.url"},
                            [action](const LoadedConfig& loaded) { return action(loaded.config); });
    };
    add("up", "Run the steps that were not run yet", migrate_up);
    auto* down = add("down", "Undo the last steps; what they made is lost",
                     [this](const Config& config) { return migrate_down(config, steps_down_); });
    down->add_option("--steps", steps_down_, "How many")
        ->check(CLI::Validator(check_number, ""))
        ->check(CLI::Range(1, kMostSteps))
        ->capture_default_str();
    add("status", "Show which steps were run, and when", show_migrations);
    add("hypertable", "Make the plain table a hypertable, once TimescaleDB is loaded",
        migrate_to_hypertable);
  }

  void add_topics() {
    CLI::App& topics =
        *app_.add_subcommand("topics", "Make, check, describe and reset the topics of `clean`");
    topics.require_subcommand(1);
    const auto add = [&](const char* name, const char* help, auto action) {
      return add_configured(
          topics, name, help,
          {"brokers", "kafka.", "topics.", "clean.group", "clean.session_timeout", "input.",
           "order.mode"},
          [this, action](const LoadedConfig& loaded) { return action(loaded.config, topics_); });
    };
    auto* create = add("create", "Make the topics that are missing", create_topics);
    create
        ->add_option("--partitions", topics_.partitions,
                     "Of the input, if it is made, and of those that follow it [1]")
        ->check(CLI::Validator(check_number, ""))
        ->check(CLI::Range(1, kMostPartitions));
    create->add_option("--replication", topics_.replication, "Copies of each partition")
        ->check(CLI::Validator(check_number, ""))
        ->check(CLI::Range(1, kMostCopies))
        ->capture_default_str();
    add("check", "Say what is wrong with the topics, and the command that mends it",
        [](const Config& config, const TopicsArguments&) { return check_topics(config); });
    auto* describe =
        add("describe", "Show offsets, settings and how far the groups are", describe_topics);
    add_json(*describe, topics_.format);
    auto* reset =
        add("reset", "Forget states and offsets, to start at the input's beginning", reset_topics);
    reset->add_flag("--yes", topics_.is_confirmed, "Do it, instead of saying what it would do");
  }

  void add_replay() {
    auto* command = add_configured(
        "replay", "Read event files into the database, going on where it stopped",
        {"db.", "order.", "first_exit", "duplicate.", "clock.", "input.max_", "batch.", "rejects."},
        [this](const LoadedConfig& loaded) { return replay(loaded, replay_); });
    command->add_option("FILE", replay_.files, "Newline-delimited JSON events; - is standard input")
        ->required();
    add_json(*command, replay_.format);
  }

  void add_timeline() {
    auto* command = add_configured(
        "timeline", "Show the enter and exit events of a device", {"db.path"},
        [this](const LoadedConfig& loaded) { return timeline(loaded.config, timeline_); });
    command->add_option("DEVICE", timeline_.device, "The device id")->required();
    add_time(*command, "--start", "From this time on, inclusive (RFC 3339)",
             [this](Timestamp t) { timeline_.start = t; });
    add_time(*command, "--end", "Up to this time, inclusive (RFC 3339)",
             [this](Timestamp t) { timeline_.end = t; });
    add_json(*command, timeline_.format);
    add_csv(*command, timeline_.format);
  }

  void add_who() {
    auto* command =
        add_configured("who", "Show which devices are inside, and since when", {"db.path"},
                       [this](const LoadedConfig& loaded) { return who(loaded.config, who_); });
    add_time(*command, "--at", "At this time (RFC 3339) instead of now",
             [this](Timestamp t) { who_.at = t; });
    add_json(*command, who_.format);
    add_csv(*command, who_.format);
  }

  void add_rejects() {
    auto* command = add_configured(
        "rejects", "Show the records that were rejected, and why", {"db.path"},
        [this](const LoadedConfig& loaded) { return rejects(loaded.config, rejects_); });
    command->add_option("--reason", rejects_.reason, "Only those rejected for this reason")
        ->check(CLI::IsMember(reasons()));
    command->add_option("--id", rejects_.id, "Print the raw bytes of this one");
    command->add_option("--limit", rejects_.limit, "Show at most this many")
        ->check(CLI::Validator(check_number, ""))
        ->capture_default_str();
    add_json(*command, rejects_.format);
    add_rejects_topic(*command);
  }

  static std::vector<std::string> reasons() {
    return {kOutcomeNames.begin() + static_cast<std::ptrdiff_t>(Outcome::malformed),
            kOutcomeNames.end()};
  }

  // What `rejects` does with the rejected topic, where it does not mean the SQLite file.
  void add_rejects_topic(CLI::App& rejects) {
    const std::vector<std::string> of_topics{"brokers", "kafka.", "topics.", "clean.group"};
    auto* list = add_configured(
        rejects, "ls", "Count the records of the rejected topic and show the newest", of_topics,
        [this](const LoadedConfig& loaded) { return list_rejects(loaded.config, list_); });
    auto reasons_of_topic = reasons();
    reasons_of_topic.emplace_back(kNotCleaned);
    list->add_option("--reason", list_.reason, "Only those rejected for this reason")
        ->check(CLI::IsMember(reasons_of_topic));
    list->add_option("--limit", list_.limit, "Show at most this many")
        ->check(CLI::Validator(check_number, ""))
        ->check(CLI::Range(0, kMostListed))
        ->capture_default_str();
    add_json(*list, list_.format);

    auto* show = add_configured(
        rejects, "show", "Print the raw bytes of a record of the rejected topic", of_topics,
        [this](const LoadedConfig& loaded) { return show_reject(loaded.config, show_); });
    show->add_option_function<std::string>(
            "PARTITION:OFFSET", [this](const std::string& text) { show_.id = *parse_place(text); },
            "Its id, as `rejects ls` shows it")
        ->check(CLI::Validator(check_place, ""))
        ->required();
    add_json(*show, show_.format);

    auto with_batches = of_topics;
    with_batches.emplace_back("batch.");
    auto* redrive = add_configured(
        rejects, "redrive", "Send rejected records back to the input topic, each once",
        with_batches,
        [this](const LoadedConfig& loaded) { return dwell::redrive(loaded.config, redrive_); });
    redrive
        ->add_option("--reason", redrive_.reasons,
                     "Only those rejected for this reason; once for each")
        ->check(CLI::IsMember(reasons()));
    redrive->add_flag("--dry-run", redrive_.is_dry_run, "Say what would be sent, and send nothing");
    redrive->add_flag(
        "--again", redrive_.sends_again,
        fmt::format("Also those that were redriven before, up to {} times each", kMostRedriven));
    add_json(*redrive, redrive_.format);
  }

  void add_generate() {
    auto* command = add_command(app_, "generate", "Write synthetic events to standard output",
                                [this] { return finish(generate(generate_)); });
    const auto number = CLI::Validator(check_number, "");
    const auto percent = CLI::Range(0.0, 100.0);
    GeneratorOptions& options = generate_;
    command->add_option("--events", options.events, "How many events")
        ->check(number)
        ->capture_default_str();
    command->add_option("--devices", options.devices, "Of how many devices")
        ->check(CLI::Range(1u, 100'000'000u))
        ->capture_default_str();
    command->add_option("--seed", options.seed, "The same seed gives the same events")
        ->check(number)
        ->capture_default_str();
    command->add_option("--rate", options.rate, "Events per second, all devices together")
        ->check(number)
        ->check(CLI::Range(0.001, 1e9))
        ->capture_default_str();
    add_time(*command, "--start", "Time of the first event [2025-07-08T00:00:00Z]",
             [&options](Timestamp t) { options.start = t; });
    const std::tuple<const char*, double*, const char*> shares[] = {
        {"--repeats", &options.repeats, "Per cent that repeat the device's last event type"},
        {"--heartbeats", &options.heartbeats, "Per cent of another event type"},
        {"--disorder", &options.disorder, "Per cent that arrive late"},
        {"--redelivery", &options.redelivery, "Per cent that arrive twice"},
        {"--garbage", &options.garbage, "Per cent that are unusable"}};
    for (const auto& [flag, share, help] : shares) {
      command->add_option(flag, *share, help)->check(number)->check(percent)->capture_default_str();
    }
    const auto add_duration = [&](const char* flag, Milliseconds& place, const char* help) {
      command
          ->add_option_function<std::string>(
              flag, [&place](const std::string& text) { place = *parse_duration(text); }, help)
          ->check(CLI::Validator(check_duration, "DURATION"))
          ->type_name("");
    };
    add_duration("--delay", options.delay, "How late, at most [30s]");
    add_duration("--skew", options.skew, "How far each device's clock is off, at most [0ms]");
  }

  void add_check() {
    auto* command = add_command(app_, "check", "Check a TOML file of settings", [this] {
      Problems problems;
      const auto assignments = read_config_file(settings(), check_path_, problems);
      apply(settings(), assignments, problems);
      if (!problems.empty()) return report(problems);
      return finish(print(fmt::format("{}: ok\n", printable(check_path_))));
    });
    command->add_option("FILE", check_path_, "The file")->required();
  }

  void add_config() {
    auto* command = add_configured(
        "config", "Print the effective settings as TOML", {""}, [this](const LoadedConfig& loaded) {
          return print(docs_ ? settings_page(settings()) : show_config(settings(), loaded));
        });
    command->add_flag("--docs", docs_, "Print the settings page of the documentation instead");
  }

  CLI::App app_;
  std::function<int()> action_;
  std::string config_path_;
  std::string check_path_;
  std::vector<Assignment> flags_;
  bool docs_ = false;
  std::string from_;
  std::vector<std::string> roles_;
  TopicsArguments topics_;
  int steps_down_ = 1;
  bool store_reset_is_confirmed_ = false;
  ReplayArguments replay_;
  TimelineArguments timeline_;
  WhoArguments who_;
  RejectsArguments rejects_;
  RejectsListArguments list_;
  RejectsShowArguments show_;
  RedriveArguments redrive_;
  GeneratorOptions generate_;
};

}  // namespace

int run_command_line(int argc, char** argv) try {
  return CommandLine().run(argc, argv);
} catch (const std::exception& error) {
  // What the system does not give: memory, threads.
  tell(fmt::format("dwell: {}; raise the limits of this process (ulimit -a)\n", error.what()));
  return kFailed;
}

}  // namespace dwell
