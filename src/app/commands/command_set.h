#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "app/settings/config_loader.h"
#include "base/result.h"

namespace CLI {
class App;
}

namespace dwell {

// How a command prints: for people, or for programs.
enum class Format { table, json, csv };

// The settings a command reads: a key, or what several begin with, as in "http.".
using SettingKeys = std::vector<std::string>;

// The commands of the program. Each adds itself, with its flags and the settings it reads
// (commands.h); then run().
class CommandSet {
 public:
  CommandSet();
  ~CommandSet();
  CommandSet(const CommandSet&) = delete;
  CommandSet& operator=(const CommandSet&) = delete;

  // The program itself, parent of the commands.
  CLI::App& program() { return *program_; }

  // A command, whose action gives the exit status.
  CLI::App& add(CLI::App& parent, const std::string& name, const std::string& help,
                std::function<int()> action);
  // One that reads settings. What its action returns is told, if it is an error.
  using ConfiguredAction = std::function<Result<void>(const LoadedConfig& loaded)>;
  CLI::App& add(CLI::App& parent, const std::string& name, const std::string& help,
                const SettingKeys& keys, ConfiguredAction action);
  // One that only has commands of its own.
  CLI::App& add(const std::string& name, const std::string& help);

  // Parses the command line and runs the command; gives the exit status.
  int run(int argc, char** argv);

 private:
  void add_setting(CLI::App& command, const Setting& setting);
  LoadedConfig load(Problems& problems) const;

  std::unique_ptr<CLI::App> program_;
  std::function<int()> action_;
  std::string config_path_;
  std::vector<Assignment> flags_;
};

// Tells an error; the exit status.
int finish(const Result<void>& result);
int report(const Problems& problems);

void add_json_flag(CLI::App& command, Format& format);
void add_csv_flag(CLI::App& command, Format& format);  // behind add_json_flag()
// A flag that takes a time (RFC 3339).
void add_time_flag(CLI::App& command, const std::string& flag, const std::string& help,
                   std::function<void(Timestamp)> set);

}  // namespace dwell
