#include <algorithm>

#include "app/commands/commands.h"
#include "app/commands/store_reset.h"
#include "app/roles/roles.h"

namespace dwell {
namespace {

struct RunArguments {
  std::string from;                // a file to follow, - for standard input, or empty
  std::vector<std::string> roles;  // none: all, once there are brokers
};

// In one file, unless there are brokers.
Result<void> run_as(const Config& config, const RunArguments& arguments) {
  const auto& [from, roles] = arguments;
  if (roles.empty() && (config.is_default("brokers") || !from.empty())) {
    return run_embedded(config, from);
  }
  const auto has = [&roles = roles](const char* role) {
    return roles.empty() || std::find(roles.begin(), roles.end(), role) != roles.end();
  };
  return run_roles(config, {has("clean"), has("store"), has("serve")});
}

}  // namespace

void add_run(CommandSet& commands) {
  const auto arguments = std::make_shared<RunArguments>();
  Command command = commands.add(
      commands.program(), "run",
      "Take events in and answer questions, all in one process: over a file of its own, or "
      "between Kafka and PostgreSQL once `brokers` is set",
      {"db.",    "rejects.",    "brokers",   "kafka.",     "topics.",    "instance.",
       "clean.", "checkpoint.", "order.",    "first_exit", "duplicate.", "clock.",
       "input.", "batch.",      "store.",    "database.",  "serve.",     "http.",
       "ready.", "log.",        "telemetry."},
      [arguments](const Config& config) { return run_as(config, *arguments); });
  command.add("--from", arguments->from,
              "Follow this file as it grows and is rotated; - is standard input");
  command
      .add("--roles", arguments->roles,
           "Which of clean, store and serve this process does between Kafka and "
           "PostgreSQL; all of them once `brokers` is set")
      .with_commas()
      .among({"clean", "store", "serve"})
      .excludes("--from");
}

void add_clean(CommandSet& commands) {
  commands.add(
      commands.program(), "clean", "Clean the events of a Kafka topic into another, exactly once",
      {"brokers", "kafka.", "topics.", "instance.", "clean.", "checkpoint.", "order.", "first_exit",
       "duplicate.", "clock.", "input.", "batch.", "ready.", "log.", "telemetry."},
      [](const Config& config) { return clean(config); });
}

void add_store(CommandSet& commands) {
  Command command =
      commands.add(commands.program(), "store",
                   "Store the events of the cleaned topic in PostgreSQL, exactly once",
                   {"brokers", "kafka.", "topics.cleaned", "topics.state", "topics.rejected",
                    "instance.", "store.", "database.", "clean.session_timeout", "input.max_record",
                    "batch.", "ready.", "log.", "telemetry."},
                   [](const Config& config) { return store(config); });
  add_store_reset(commands, command);
}

void add_serve(CommandSet& commands) {
  commands.add(commands.program(), "serve",
               "Answer questions from PostgreSQL over HTTP, and take events in",
               {"brokers", "kafka.", "topics.input", "topics.keyed", "topics.cleaned", "input.",
                "clean.group", "database.", "serve.", "http.", "log.", "telemetry."},
               [](const Config& config) { return serve(config); });
}

}  // namespace dwell
