#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/settings/config_loader.h"
#include "base/result.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace dwell {

// How a command prints: for people, or for programs.
enum class Format { table, json, csv };

// The settings a command reads: a key, or what several begin with, as in "http.".
using SettingKeys = std::vector<std::string>;

// A flag or an argument of a command: what it takes, besides its type.
class Argument {
 public:
  explicit Argument(CLI::Option& option) : option_(&option) {}

  Argument& required();
  Argument& shows_default();
  Argument& among(const std::vector<std::string>& values);
  Argument& number();  // in decimal digits, nothing else around it
  Argument& between(int least, int most);
  Argument& between(unsigned least, unsigned most);
  Argument& between(double least, double most);
  Argument& with_commas();
  Argument& excludes(const std::string& flag);
  // What is wrong with a text; empty: nothing. `type` is shown in the help.
  Argument& checked(std::string (*check)(const std::string& text), const std::string& type = "");
  Argument& hides_type();

 private:
  CLI::Option* option_;
};

// One command, to which flags and arguments are added. The library that parses them (CLI11) is seen
// by command_set.cc alone: it takes long to compile.
class Command {
 public:
  explicit Command(CLI::App& app) : app_(&app) {}

  // A name that begins with -- is a flag. Borrows `value`.
  Argument add(const std::string& name, std::string& value, const std::string& help);
  Argument add(const std::string& name, std::vector<std::string>& value, const std::string& help);
  Argument add(const std::string& name, std::optional<std::string>& value, const std::string& help);
  Argument add(const std::string& name, int& value, const std::string& help);
  Argument add(const std::string& name, std::optional<int>& value, const std::string& help);
  Argument add(const std::string& name, std::uint32_t& value, const std::string& help);
  Argument add(const std::string& name, std::uint64_t& value, const std::string& help);
  Argument add(const std::string& name, std::optional<std::int64_t>& value,
               const std::string& help);
  Argument add(const std::string& name, double& value, const std::string& help);
  // `set` is given what the checks let through.
  using Set = std::function<void(const std::string& text)>;
  Argument add_parsed(const std::string& name, Set set, const std::string& help);
  void add_switch(const std::string& name, bool& value, const std::string& help);

  void add_json(Format& format);
  void add_csv(Format& format);  // behind add_json()
  // A flag that takes a time (RFC 3339).
  void add_time(const std::string& flag, const std::string& help,
                std::function<void(Timestamp)> set);
  // A flag that takes a time for TimeReader, and the zone of all of them.
  void add_time(const std::string& flag, const std::string& help, std::optional<std::string>& text);
  void add_zone(std::string& zone);

  CLI::App& app() { return *app_; }

 private:
  CLI::App* app_;
};

// The commands of the program. Each adds itself, with its flags and the settings it reads
// (commands.h); then run().
class CommandSet {
 public:
  CommandSet();
  ~CommandSet();
  CommandSet(const CommandSet&) = delete;
  CommandSet& operator=(const CommandSet&) = delete;

  // The program itself, parent of the commands.
  Command program() { return Command(*program_); }
  void set_version(const std::string& text);

  // A command, whose action gives the exit status.
  Command add(Command parent, const std::string& name, const std::string& help,
              std::function<int()> action);
  // One that reads settings. What its action returns is told, if it is an error.
  using ConfiguredAction = std::function<Result<void>(const Config& config)>;
  Command add(Command parent, const std::string& name, const std::string& help,
              const SettingKeys& keys, ConfiguredAction action);
  // Gives a command --config and the flags of the settings.
  void add_settings(Command command, const SettingKeys& keys);
  // What the file at `path` (empty: none), the environment and the flags say.
  Config load(const std::string& path, Problems& problems) const;
  const std::string& config_path() const { return config_path_; }  // as --config gives it
  // One that only has commands of its own.
  Command add(const std::string& name, const std::string& help);

  // Parses the command line and runs the command; gives the exit status.
  int run(int argc, char** argv);

 private:
  void add_setting(CLI::App& command, const Setting& setting);

  std::unique_ptr<CLI::App> program_;
  std::function<int()> action_;
  std::string config_path_;
  std::vector<Assignment> flags_;
};

// Tells an error; the exit status.
int finish(const Result<void>& result);
int report(const Problems& problems);

}  // namespace dwell
