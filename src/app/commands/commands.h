#pragma once

#include <optional>
#include <string>
#include <vector>

#include "app/commands/generator.h"
#include "app/settings/config_loader.h"
#include "base/result.h"
#include "core/record.h"

namespace dwell {

// How a command prints: for people, or for programs.
enum class Format { table, json, csv };

// One file for each command; what runs until a signal stops it is a role (app/roles). A command
// prints to standard output and returns an Error for command_line.cc to print.

struct ReplayArguments {
  std::vector<std::string> files;
  Format format = Format::table;
};
Result<void> replay(const LoadedConfig& loaded, const ReplayArguments& arguments);

// Forgets how far the cleaned topic was read; says what it would do unless `is_confirmed`.
Result<void> reset_store(const Config& config, bool is_confirmed);

// Bring the database to the layout of this release, or some steps back, and show it.
Result<void> migrate_up(const Config& config);
Result<void> migrate_down(const Config& config, int steps);
Result<void> show_migrations(const Config& config);
// Makes the plain table of a database a hypertable, where TimescaleDB came later.
Result<void> migrate_to_hypertable(const Config& config);

struct TopicsArguments {
  std::optional<int> partitions;  // of a new input
  int replication = 1;            // of new topics
  bool is_confirmed = false;      // a reset without it only says what it would do
  Format format = Format::table;
};
// Makes the topics that are missing.
Result<void> create_topics(const Config& config, const TopicsArguments& arguments);
// Fails when `dwell clean` cannot work with the topics as they are.
Result<void> check_topics(const Config& config);
Result<void> describe_topics(const Config& config, const TopicsArguments& arguments);
// Forgets states and offsets, so that `dwell clean` starts at the beginning of its input.
Result<void> reset_topics(const Config& config, const TopicsArguments& arguments);

struct TimelineArguments {
  std::string device;
  Timestamp start = kEarliest;
  Timestamp end = kLatest;
  Format format = Format::table;
};
Result<void> timeline(const Config& config, const TimelineArguments& arguments);

struct WhoArguments {
  std::optional<Timestamp> at;  // empty: now
  Format format = Format::table;
};
Result<void> who(const Config& config, const WhoArguments& arguments);

struct RejectsArguments {
  std::optional<std::string> reason;
  std::optional<std::int64_t> id;  // print the raw bytes of this one
  std::size_t limit = 100;
  Format format = Format::table;
};
Result<void> rejects(const Config& config, const RejectsArguments& arguments);

// The commands below are of the rejected topic.
struct RejectsListArguments {
  std::optional<std::string> reason;
  std::size_t limit = 20;
  Format format = Format::table;
};
Result<void> list_rejects(const Config& config, const RejectsListArguments& arguments);

struct RejectsShowArguments {
  std::pair<PartitionId, Offset> id;
  Format format = Format::table;
};
Result<void> show_reject(const Config& config, const RejectsShowArguments& arguments);

struct RedriveArguments {
  std::vector<std::string> reasons;  // none: all
  bool is_dry_run = false;
  bool sends_again = false;  // also what was redriven before
  Format format = Format::table;
};
// Sends rejected records back to the input, each once.
Result<void> redrive(const Config& config, const RedriveArguments& arguments);

Result<void> generate(const GeneratorOptions& options);

}  // namespace dwell
