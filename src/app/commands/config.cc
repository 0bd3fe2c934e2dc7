#include "app/commands/commands.h"
#include "app/terminal/output.h"
#include "base/printable.h"
#include "sqlite/open_reader.h"
#include "sqlite/stored_facts.h"

namespace dwell {
namespace {

constexpr std::string_view kVersion = "dwell " DWELL_VERSION;

int check_file(const std::string& path) {
  Problems problems;
  const auto assignments = read_config_file(settings(), path, problems);
  apply(settings(), assignments, problems);
  if (!problems.empty()) return report(problems);
  return finish(print(fmt::format("{}: ok\n", printable(path))));
}

// What the embedded service would go on with: a database that is there keeps settings of its own.
Result<Config> with_database(const Config& config) {
  if (!config.is_default("brokers")) return config;
  const std::string& path = config.db_path;
  auto database = open_to_read(path, {});
  if (!database && database.error().kind == ErrorKind::not_found) return config;
  if (!database) return pass(database);
  auto stored = load_settings(**database);
  if (!stored) return pass(stored);
  return with_stored(settings(), config, *stored, fmt::format("database {}", path));
}

}  // namespace

void add_check(CommandSet& commands) {
  const auto path = std::make_shared<std::string>();
  Command command = commands.add(commands.program(), "check", "Check a TOML file of settings",
                                 [path] { return check_file(*path); });
  command.add("FILE", *path, "The file").required();
}

void add_config(CommandSet& commands) {
  const auto prints_docs = std::make_shared<bool>(false);
  Command command =
      commands.add(commands.program(), "config", "Print the effective settings as TOML", {""},
                   [prints_docs](const Config& config) {
                     if (*prints_docs) return print(settings_page(settings()));
                     auto effective = with_database(config);
                     if (!effective) return Result<void>(pass(effective));
                     return print(show_config(settings(), *effective));
                   });
  command.add_switch("--docs", *prints_docs,
                     "Print the settings page of the documentation instead");
}

void add_version(CommandSet& commands) {
  commands.set_version(std::string(kVersion));
  commands.add(commands.program(), "version", "Print the version",
               [] { return finish(print(fmt::format("{}\n", kVersion))); });
}

}  // namespace dwell
