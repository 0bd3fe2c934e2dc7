#include <cstdlib>

#include "app/commands/commands.h"
#include "app/commands/sample.h"
#include "app/terminal/output.h"
#include "base/printable.h"
#include "sqlite/open_reader.h"
#include "sqlite/stored_facts.h"
#include "telemetry/telemetry.h"

namespace dwell {
namespace {

constexpr std::string_view kVersion = "dwell " DWELL_VERSION;

std::string version_text() {
  const auto exporter = find_exporter();
  return fmt::format("{}\nOTLP: {}\n", kVersion,
                     exporter ? "yes, once OTEL_EXPORTER_OTLP_ENDPOINT is set"
                              : "no: " + exporter.error().message);
}

// The OTEL_* variables that are set, as comments: they are no settings of Dwell's file.
std::string show_otel() {
  std::string out;
  for (const OtelVariable& variable : otel_variables()) {
    const char* value = std::getenv(variable.name.c_str());
    if (!value || !*value) continue;
    out += fmt::format("# {} = {}  # environment\n", variable.name,
                       variable.is_secret ? "***" : printable(value));
  }
  return out;
}

struct CheckArguments {
  std::string settings;  // the file of them
  SampleArguments sample;
};

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

int check(const CommandSet& commands, const CheckArguments& arguments) {
  const auto& path = arguments.settings.empty() ? commands.config_path() : arguments.settings;
  if (arguments.sample.file.empty()) {
    if (!path.empty()) return check_file(path);
    return finish(fail(ErrorKind::invalid,
                       "check: name a file of settings, or --sample FILE; see dwell check --help"));
  }
  Problems problems;
  const Config loaded = commands.load(path, problems);
  if (!problems.empty()) return report(problems);
  // One that happens to be here may be of another feed.
  const bool names_database = !loaded.is_default("db.path");
  const auto effective = names_database ? with_database(loaded) : Result<Config>(loaded);
  if (!effective) return finish(pass(effective));
  return finish(check_sample(*effective, arguments.sample));
}

}  // namespace

void add_check(CommandSet& commands) {
  const auto arguments = std::make_shared<CheckArguments>();
  Command command = commands.add(
      commands.program(), "check",
      "Check a TOML file of settings, or show what they make of the first records of a feed",
      [&commands, arguments] { return check(commands, *arguments); });
  commands.add_settings(
      command, {"db.path", "clock.", "input.device_id", "input.event_type", "input.timestamp",
                "input.enter", "input.exit", "input.max_record", "input.time_"});
  command.add("FILE", arguments->settings, "The file of settings, as --config names it");
  command.add("--sample", arguments->sample.file,
              "Events in a file as `dwell replay` reads it; - is standard input. Only with --db do "
              "the settings count that a database keeps");
  command.add("--records", arguments->sample.records, "Look at this many of them")
      .number()
      .between(1U, kMostSampled)
      .shows_default();
  command.add_json(arguments->sample.format);
}

void add_config(CommandSet& commands) {
  const auto prints_docs = std::make_shared<bool>(false);
  Command command =
      commands.add(commands.program(), "config", "Print the effective settings as TOML", {""},
                   [prints_docs](const Config& config) {
                     if (*prints_docs) return print(settings_page(settings()));
                     auto effective = with_database(config);
                     if (!effective) return Result<void>(pass(effective));
                     return print(show_config(settings(), *effective) + show_otel());
                   });
  command.add_switch("--docs", *prints_docs,
                     "Print the settings page of the documentation instead");
}

void add_version(CommandSet& commands) {
  commands.set_version(std::string(kVersion));
  commands.add(commands.program(), "version", "Print the version",
               [] { return finish(print(version_text())); });
}

}  // namespace dwell
