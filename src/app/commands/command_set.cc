#include "app/commands/command_set.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <unistd.h>

#include "app/commands/argument_checks.h"
#include "app/commands/usage_error.h"
#include "app/process/log.h"
#include "app/terminal/exit_status.h"
#include "app/terminal/output.h"
#include "base/check.h"
#include "base/printable.h"

namespace dwell {
namespace {

std::vector<std::string> environment() {
  std::vector<std::string> all;
  for (char** entry = environ; *entry; ++entry) all.emplace_back(*entry);
  return all;
}

}  // namespace

int finish(const Result<void>& result) {
  if (result) return 0;
  const auto& message = result.error().message;
  if (!tell_in_json_log(message)) tell(fmt::format("dwell: {}\n", printable(message)));
  return exit_status(result.error());
}

int report(const Problems& problems) {
  for (const std::string& problem : problems) {
    tell(fmt::format("dwell: {}\n", printable(problem)));
  }
  return kUsage;
}

Argument& Argument::required() {
  option_->required();
  return *this;
}
Argument& Argument::shows_default() {
  option_->capture_default_str();
  return *this;
}
Argument& Argument::among(const std::vector<std::string>& values) {
  option_->check(CLI::IsMember(values));
  return *this;
}
Argument& Argument::number() {
  return checked(check_number);
}
Argument& Argument::between(int least, int most) {
  option_->check(CLI::Range(least, most));
  return *this;
}
Argument& Argument::between(unsigned least, unsigned most) {
  option_->check(CLI::Range(least, most));
  return *this;
}
Argument& Argument::between(double least, double most) {
  option_->check(CLI::Range(least, most));
  return *this;
}
Argument& Argument::with_commas() {
  option_->delimiter(',');
  return *this;
}
Argument& Argument::excludes(const std::string& flag) {
  option_->excludes(flag);
  return *this;
}
Argument& Argument::checked(std::string (*check)(const std::string&), const std::string& type) {
  option_->check(CLI::Validator(check, type));
  return *this;
}
Argument& Argument::hides_type() {
  option_->type_name("");
  return *this;
}

Argument Command::add(const std::string& name, std::string& value, const std::string& help) {
  return Argument(*app_->add_option(name, value, help));
}

Argument Command::add(const std::string& name, std::vector<std::string>& value,
                      const std::string& help) {
  return Argument(*app_->add_option(name, value, help));
}

Argument Command::add(const std::string& name, std::optional<std::string>& value,
                      const std::string& help) {
  return Argument(*app_->add_option(name, value, help));
}

Argument Command::add(const std::string& name, int& value, const std::string& help) {
  return Argument(*app_->add_option(name, value, help));
}

Argument Command::add(const std::string& name, std::optional<int>& value, const std::string& help) {
  return Argument(*app_->add_option(name, value, help));
}

Argument Command::add(const std::string& name, std::uint32_t& value, const std::string& help) {
  return Argument(*app_->add_option(name, value, help));
}

Argument Command::add(const std::string& name, std::uint64_t& value, const std::string& help) {
  return Argument(*app_->add_option(name, value, help));
}

Argument Command::add(const std::string& name, std::optional<std::int64_t>& value,
                      const std::string& help) {
  return Argument(*app_->add_option(name, value, help));
}

Argument Command::add(const std::string& name, double& value, const std::string& help) {
  return Argument(*app_->add_option(name, value, help));
}

Argument Command::add_parsed(const std::string& name, Set set, const std::string& help) {
  return Argument(*app_->add_option_function<std::string>(name, std::move(set), help));
}

void Command::add_switch(const std::string& name, bool& value, const std::string& help) {
  app_->add_flag(name, value, help);
}

void Command::add_json(Format& format) {
  app_->add_flag_callback(
      "--json", [&format] { format = Format::json; }, "Print JSON");
}

void Command::add_csv(Format& format) {
  app_->add_flag_callback(
          "--csv", [&format] { format = Format::csv; }, "Print CSV")
      ->excludes("--json");
}

void Command::add_time(const std::string& flag, const std::string& help,
                       std::function<void(Timestamp)> set) {
  add_parsed(
      flag, [set](const std::string& text) { set(*parse_rfc3339(text)); }, help)
      .checked(check_time, "TIME")
      .hides_type();
}

void Command::add_time(const std::string& flag, const std::string& help,
                       std::optional<std::string>& text) {
  add(flag, text, help).hides_type();
}

void Command::add_zone(std::string& zone) {
  add("--tz", zone,
      "The time zone of days and of times that name none, such as Europe/Berlin; answers are in "
      "UTC")
      .shows_default();
}

CommandSet::CommandSet()
    : program_(std::make_unique<CLI::App>(
          "Turns unreliable device events into a presence history to trust.")) {
  program_->name("dwell");
  program_->require_subcommand(1);
  program_->footer(
      "Settings come from a TOML file, then DWELL_* variables, then flags.\n"
      "`dwell config` shows the effective ones and where each comes from. Others see the flags "
      "of a\n"
      "process (ps): give secrets in the file or in variables.");
}

CommandSet::~CommandSet() = default;

void CommandSet::set_version(const std::string& text) {
  program_->set_version_flag("--version", text);
}

int CommandSet::run(int argc, char** argv) {
  try {
    program_->parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() != 0) {
      tell(usage_error(*program_, error, {argv, static_cast<std::size_t>(argc)}));
      return kUsage;
    }
    program_->exit(error);  // help was asked for
    return finish(print(""));
  }
  return action_();
}

Command CommandSet::add(Command parent, const std::string& name, const std::string& help,
                        std::function<int()> action) {
  CLI::App* command = parent.app().add_subcommand(name, help);
  command->callback([this, command, action = std::move(action)] {
    // A command that was given one of its own leaves it to that.
    if (command->get_subcommands().empty()) action_ = action;
  });
  return Command(*command);
}

Command CommandSet::add(Command parent, const std::string& name, const std::string& help,
                        const SettingKeys& keys, ConfiguredAction action) {
  Command command = add(parent, name, help, [this, action = std::move(action)] {
    Problems problems;
    const Config loaded = load(config_path_, problems);
    return problems.empty() ? finish(action(loaded)) : report(problems);
  });
  add_settings(command, keys);
  return command;
}

void CommandSet::add_settings(Command command, const SettingKeys& keys) {
  command.app()
      .add_option("--config", config_path_, "Read settings from this TOML file")
      ->envname("DWELL_CONFIG")
      ->group("Settings");
  for (const std::string& key : keys) {
    CHECK(std::any_of(settings().begin(), settings().end(),
                      [&](const Setting& setting) { return setting.key.starts_with(key); }));
  }
  for (const Setting& setting : settings()) {
    const bool is_read = std::any_of(keys.begin(), keys.end(), [&](const std::string& key) {
      return setting.key.starts_with(key);
    });
    if (is_read) add_setting(command.app(), setting);
  }
}

Command CommandSet::add(const std::string& name, const std::string& help) {
  CLI::App& command = *program_->add_subcommand(name, help);
  command.require_subcommand(1);
  return Command(command);
}

void CommandSet::add_setting(CLI::App& command, const Setting& setting) {
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
              flags_.push_back(
                  {has_name ? std::string(setting.family()) + value.substr(0, equals) : setting.key,
                   has_name ? value.substr(equals + 1) : "", "flag " + setting.flag});
            } else {
              flags_.push_back({setting.key, value, "flag " + setting.flag});
            }
          },
          help)
      ->trigger_on_parse()
      ->group("Settings");
}

Config CommandSet::load(const std::string& path, Problems& problems) const {
  std::vector<Assignment> all;
  if (!path.empty()) all = read_config_file(settings(), path, problems);
  const auto variables = environment();
  const auto of_environment = read_environment(settings(), variables, problems);
  all.insert(all.end(), of_environment.begin(), of_environment.end());
  all.insert(all.end(), flags_.begin(), flags_.end());
  return apply(settings(), all, problems);
}

}  // namespace dwell
