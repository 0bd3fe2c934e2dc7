#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <cstring>
#include <filesystem>

#include "app/commands/commands.h"
#include "app/commands/told_reject.h"
#include "app/process/late_notes.h"
#include "app/process/observers.h"
#include "app/process/system_clock.h"
#include "app/roles/pipeline_setup.h"
#include "app/settings/units.h"
#include "app/terminal/output.h"
#include "app/terminal/progress.h"
#include "app/terminal/terminal.h"
#include "file/file_source.h"
#include "file/merged_files.h"
#include "sqlite/sqlite_report.h"

namespace dwell {
namespace {

// Gathers what is to be told in the end.
class NotesObserver final : public Observer {
 public:
  void observe(const Observation& observation) override {
    const auto* committed = std::get_if<Committed>(&observation);
    if (!committed) return;
    for (const Partition& partition : committed->folds) {
      notes_.add(partition, committed->known_late);
    }
  }
  std::string text(const Rule& rule) const {
    std::string text;
    for (const auto& line : notes_.lines(rule)) text += line + '\n';
    return text;
  }

 private:
  LateNotes notes_;
};

struct ReplayArguments {
  std::vector<std::string> files;
  bool merges = false;       // although the order does not ask for it
  bool is_as_given = false;  // although the order asks for a merge
  Format format = Format::table;
};

std::string_view group_of(Outcome outcome) {
  if (outcome == Outcome::accepted) return "accepted";
  if (outcome == Outcome::ignored) return "ignored";
  return is_suppressed(outcome) ? "suppressed" : "rejected";
}

std::uint64_t count_of(const Totals& totals, std::string_view ignored_type) {
  for (const auto& ignored : totals.ignored_types) {
    if (ignored.type == ignored_type) return ignored.count;
  }
  return 0;
}

// What a call changed of what was there `before`.
struct Run {
  Totals totals;
  std::uint64_t known_late;
  std::uint64_t late;
};

Run operator-(const StoreTotals& after, const StoreTotals& before) {
  return {after.totals - before.totals, after.known_late - before.known_late,
          after.late - before.late};
}

std::string outcome_table(const Totals& run, const StoreTotals& store, const Terminal& terminal) {
  TextTable table({{"outcome"}, {"reason"}, {"this run", true}, {"in all", true}});
  const auto add = [&](std::string_view group, std::string_view reason, std::uint64_t in_run,
                       std::uint64_t in_all) {
    table.add(
        {std::string(group), std::string(reason), format_count(in_run), format_count(in_all)});
  };
  for (std::size_t i = 0; i < kOutcomeCount; ++i) {
    const auto outcome = static_cast<Outcome>(i);
    if (outcome == Outcome::ignored) {
      for (const auto& [type, count] : store.totals.ignored_types) {
        add("ignored", printable(type), count_of(run, type), count);
      }
    } else if (outcome == Outcome::accepted || store.totals[outcome] > 0) {
      const auto reason = outcome == Outcome::accepted ? "" : name(outcome);
      add(group_of(outcome), reason, run[outcome], store.totals[outcome]);
    }
  }
  add("records read", "", run.records(), store.totals.records());
  return table.render(terminal);
}

// One line that accounts for every accepted event: why the file has the rows it has.
std::string account(const StoreTotals& store, const std::string& path) {
  std::string text =
      fmt::format("{} rows of {} devices in {}: {} accepted", format_count(store.rows),
                  format_count(store.devices), path, format_count(store.totals[Outcome::accepted]));
  if (store.totals.promoted) text += fmt::format(" + {} promoted", store.totals.promoted);
  if (store.totals.retracted) text += fmt::format(" - {} retracted", store.totals.retracted);
  if (store.absorbed) text += fmt::format(" - {} stored already", store.absorbed);
  if (store.faults) text += fmt::format(" + {} retracted without a row", store.faults);
  return text + fmt::format(" (order = {})\n", name(store.order));
}

boost::json::object json_of(const Totals& totals) {
  boost::json::object outcomes;
  for (std::size_t i = 0; i < kOutcomeCount; ++i) outcomes[kOutcomeNames[i]] = totals.outcomes[i];
  boost::json::object types;
  for (const auto& [type, count] : totals.ignored_types) types[type] = count;
  return {{"records", totals.records()},
          {"outcomes", std::move(outcomes)},
          {"ignoredTypes", std::move(types)},
          {"promoted", totals.promoted},
          {"retracted", totals.retracted}};
}

boost::json::object json_of(const Run& run) {
  auto object = json_of(run.totals);
  object["knownLate"] = run.known_late;
  object["late"] = run.late;
  return object;
}

boost::json::object json_of(const StoreTotals& store) {
  auto object = json_of(store.totals);
  object["order"] = name(store.order);
  object["devices"] = store.devices;
  object["rows"] = store.rows;
  object["absorbed"] = store.absorbed;
  object["faults"] = store.faults;
  object["knownLate"] = store.known_late;
  object["late"] = store.late;
  object["rejectsKept"] = store.rejects_kept;
  object["rejectsDropped"] = store.rejects_dropped;
  return object;
}

// The wire name that a type differs from in case, dashes and spaces alone; empty for any other.
std::string_view wire_name_like(std::string_view type) {
  std::string plain;
  for (const char c : type) {
    if (c >= 'A' && c <= 'Z') {
      plain += static_cast<char>(c - 'A' + 'a');
    } else if (c == '-') {
      plain += '_';
    } else if (c != ' ') {
      plain += c;
    }
  }
  for (const EventType known : {EventType::enter, EventType::exit}) {
    if (plain == wire_name(known)) return wire_name(known);
  }
  return {};
}

// A line for each ignored type that was hardly meant to be another one.
std::string lookalikes(const Totals& run) {
  std::string lines;
  for (const auto& [type, count] : run.ignored_types) {
    const auto like = wire_name_like(type);
    if (like.empty()) continue;
    lines += fmt::format("\"{}\" looks like {}, but is another type: {} ignored\n", printable(type),
                         like, format_count(count));
  }
  return lines;
}

// Records were read and none is of any use: then the settings do not fit the feed.
bool is_in_vain(const Run& in_run) {
  const Totals& run = in_run.totals;
  std::uint64_t usable = run[Outcome::accepted] + in_run.known_late;
  for (std::size_t i = 0; i < kOutcomeCount; ++i) {
    if (is_suppressed(static_cast<Outcome>(i))) usable += run.outcomes[i];
  }
  return run.records() > 0 && usable == 0;
}

// Fails with the first record of a run in vain and what is wrong with it. `before` is the id of the
// last rejected record before the run.
Result<void> tell_in_vain(SqliteReport& reader, const Rule& rule, const Totals& run,
                          std::int64_t before) {
  const auto what = fmt::format("none of {} records could be used", format_count(run.records()));
  RejectedQuery query;
  query.after = before;
  query.limit = 1;
  const auto first = reader.rejected(query);
  if (!first) return pass(first);
  if (first->empty()) {
    const auto type = run.ignored_types.empty() ? std::string_view() : run.ignored_types[0].type;
    return fail(ErrorKind::fatal,
                "{}: they are of other event types, such as \"{}\"; Dwell reads "
                "{} and {}",
                what, printable(type), wire_name(EventType::enter), wire_name(EventType::exit));
  }
  const RejectedRecord& record = first->front();
  RejectReasons reasons(rule);
  LineNumbers lines;
  const Told told = tell_of(record, reasons, lines);
  return fail(ErrorKind::fatal, "{}; the first rejected one, {}: {}: {}", what,
              place_of(record, told), record.reason, told.detail);
}

// Before anything is made or read: a name mistyped should not leave half a job and a database
// behind. Only looks: opening a FIFO would disturb whoever writes to it.
Result<void> check_files(const std::vector<std::string>& files) {
  for (const std::string& file : files) {
    std::error_code error;
    if (file == "-" || std::filesystem::exists(file, error)) continue;
    return fail(ErrorKind::not_found, "{}: cannot be read: {}", file,
                error ? error.message() : std::strerror(ENOENT));
  }
  return {};
}

void tell_remarks(const std::vector<std::string>& remarks) {
  for (const std::string& remark : remarks) tell(fmt::format("dwell: {}\n", remark));
}

Result<void> replay_file(const std::string& path, const Config& config, Clock& clock,
                         Pipeline& pipeline, Progress& progress) {
  auto source = FileSource::open(path, config.limits, clock, Reading::to_end, config.rule.mapping);
  if (!source) return pass(source);
  if (auto sought = (*source)->seek(0, pipeline.partitions()[0].positions); !sought) return sought;
  const std::uint64_t size = (*source)->is_packed() ? 0 : (*source)->size();
  progress.begin_file(path, pipeline.partitions()[0].positions,
                      static_cast<std::uint64_t>((*source)->next()), size);
  auto run = pipeline.run(**source, {});
  if (run) progress.end_file();
  tell_remarks((*source)->remarks());
  return run;
}

Result<void> replay_merged(const std::vector<std::string>& paths, const Config& config,
                           Clock& clock, Pipeline& pipeline, Progress& progress) {
  MergedFiles source(paths, config.limits, clock, config.rule);
  if (auto sought = source.seek(0, pipeline.partitions()[0].positions); !sought) return sought;
  progress.begin_file(fmt::format("{} files", format_count(paths.size())),
                      pipeline.partitions()[0].positions, source.start(), source.size());
  auto run = pipeline.run(source, {});
  if (run) progress.end_file();
  tell_remarks(source.remarks());
  return run;
}

// Whether the files are read as one stream. Times of receipt are of the order that files have.
bool is_merge(const ReplayArguments& arguments, const Rule& rule) {
  if (arguments.files.size() < 2 || rule.clock_source == ClockSource::received) return false;
  return arguments.merges || (rule.order == Order::event_time && !arguments.is_as_given);
}

Result<void> check_arguments(const ReplayArguments& arguments) {
  if (arguments.merges && arguments.is_as_given) {
    return fail(ErrorKind::invalid, "--merge and --as-given: give one of them");
  }
  return check_files(arguments.files);
}

Result<void> replay(const Config& loaded, const ReplayArguments& arguments) {
  if (auto checked = check_arguments(arguments); !checked) return checked;
  Config config;
  std::vector<std::string> warnings;
  auto committer = open_committer(loaded, config, warnings);
  if (!committer) return pass(committer);
  for (const std::string& warning : warnings) tell(fmt::format("dwell: {}\n", warning));
  const bool has_stream =
      std::find(arguments.files.begin(), arguments.files.end(), "-") != arguments.files.end();
  if (has_stream && is_merge(arguments, config.rule)) {
    return fail(ErrorKind::invalid,
                "-: standard input cannot be merged with files; read it in a call of its own, or "
                "give --as-given");
  }
  for (const std::string& file : arguments.files) {
    if (auto checked = check_input(file, (*committer)->files()); !checked) return checked;
  }
  SystemClock clock;
  Progress progress(Terminal::of(stderr), clock);
  NotesObserver notes;
  Observers observers({&progress, &notes});
  Pipeline pipeline(**committer, clock, observers, pipeline_options(config));
  if (auto restored = pipeline.restore(); !restored) return restored;
  auto reader = SqliteReport::open(config.db_path);
  if (!reader) return pass(reader);
  const auto before = (*reader)->totals();
  if (!before) return pass(before);
  const auto last_rejected = (*reader)->last_rejected();
  if (!last_rejected) return pass(last_rejected);

  if (is_merge(arguments, config.rule)) {
    auto done = replay_merged(arguments.files, config, clock, pipeline, progress);
    if (!done) return done;
  } else {
    for (const std::string& file : arguments.files) {
      if (auto done = replay_file(file, config, clock, pipeline, progress); !done) return done;
    }
  }

  auto store = (*reader)->totals();
  if (!store) return pass(store);
  const Run run = *store - *before;
  const bool is_json = arguments.format == Format::json;
  auto printed = is_json ? print_document(boost::json::object{{"run", json_of(run)},
                                                              {"database", json_of(*store)}})
                         : print(outcome_table(run.totals, *store, Terminal::of(stdout)) + '\n' +
                                 notes.text(config.rule) + lookalikes(run.totals) +
                                 account(*store, printable(config.db_path)));
  if (!printed || !is_in_vain(run)) return printed;
  return tell_in_vain(**reader, config.rule, run.totals, *last_rejected);
}

}  // namespace

void add_replay(CommandSet& commands) {
  const auto arguments = std::make_shared<ReplayArguments>();
  Command command = commands.add(
      commands.program(), "replay", "Read event files into the database, going on where it stopped",
      {"db.", "order.", "first_exit", "duplicate.", "clock.", "input.device_id", "input.event_type",
       "input.timestamp", "input.enter", "input.exit", "input.max_record", "input.time_", "batch.",
       "rejects."},
      [arguments](const Config& loaded) { return replay(loaded, *arguments); });
  command
      .add("FILE", arguments->files,
           "Events as JSON or CSV, also packed by gzip or zstd; - is standard input")
      .required();
  command.add_switch("--merge", arguments->merges,
                     "Read several files by the times of their events, also in arrival order");
  command.add_switch("--as-given", arguments->is_as_given,
                     "Read several files one after the other, also in event time");
  command.add_json(arguments->format);
}

}  // namespace dwell
