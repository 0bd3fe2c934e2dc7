#include "app/commands/rejects_topic.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <set>

#include "app/commands/argument_checks.h"
#include "app/process/log.h"
#include "app/settings/kafka_options.h"
#include "app/settings/units.h"
#include "app/terminal/output.h"
#include "app/terminal/terminal.h"
#include "base/base64.h"
#include "kafka/topics/redriver.h"

namespace dwell {
namespace {

namespace json = boost::json;

struct ListArguments {
  std::optional<std::string> reason;
  std::size_t limit = 20;
  Format format = Format::table;
};

struct ShowArguments {
  std::pair<PartitionId, Offset> id;
  Format format = Format::table;
};

struct RedriveArguments {
  std::vector<std::string> reasons;  // none: all
  bool is_dry_run = false;
  bool sends_again = false;  // also what was redriven before
  Format format = Format::table;
};

constexpr int kMostListed = 10'000;
constexpr std::size_t kBeginning = 1'000;      // bytes of a listed record that are held
constexpr std::size_t kBeginningColumns = 80;  // of them, in JSON
constexpr std::size_t kDetailColumns = 250;    // what is wrong with a record
constexpr std::size_t kNameColumns = 250;      // the longest name of a topic

// Says what to do about an error of the brokers.
template <typename T>
Failure explained(Result<T>& failed, const Config& config) {
  const Error error = std::move(failed.error());
  if (error.kind == ErrorKind::not_found) {
    return fail(error.kind, "{}; `dwell topics create` makes what is missing", error.message);
  }
  if (error.kind == ErrorKind::retry_later) {
    return fail(error.kind, "{}; no answer from brokers {}, try again", error.message,
                config.brokers);
  }
  return Failure(error);
}

std::string_view reason_of(const RejectedMessage& message) {
  if (message.is_not_cleaned) return kNotCleaned;
  return message.reason ? name(*message.reason) : "unknown";
}

std::string position_of(const RejectedMessage& message) {
  if (!message.source_partition || !message.source_offset) return "unknown";
  return fmt::format("{}/{}:{}", printable(message.source_topic, kNameColumns),
                     *message.source_partition, *message.source_offset);
}

// What a list shows of a record.
struct Listed {
  Timestamp received;
  PartitionId partition;
  Offset offset;
  std::string_view reason;
  std::string position;
  std::uint64_t size;  // of the record in the input
  std::uint64_t redriven;
  std::string detail;
  std::string beginning;

  bool operator<(const Listed& other) const {
    return std::tie(received, partition, offset) <
           std::tie(other.received, other.partition, other.offset);
  }
};

// The records of one reason.
struct Histogram {
  std::uint64_t count = 0;
  std::uint64_t redriven = 0;
  Timestamp oldest = kLatest;
  Timestamp newest = kEarliest;

  void add(const RejectedMessage& message) {
    ++count;
    redriven += message.redriven > 0 ? 1 : 0;
    oldest = std::min(oldest, message.received);
    newest = std::max(newest, message.received);
  }
};

// Counts by reason and the newest records.
struct List {
  std::map<std::string_view, Histogram> reasons;
  std::set<Listed> newest;
};

Listed listed(const RejectedMessage& message) {
  const auto size = message.truncated_from ? message.truncated_from : message.value.size();
  return {message.received,
          message.partition,
          message.offset,
          reason_of(message),
          position_of(message),
          size,
          message.redriven,
          printable(message.detail, kDetailColumns),
          std::string(message.value.substr(0, kBeginning))};
}

Result<List> make_list(const Config& config, const ListArguments& arguments) {
  auto topic =
      RejectedTopic::open(kafka_options(config), config.topics.rejected, config.group + "-redrive");
  if (!topic) return pass(topic);
  const auto ranges = (*topic)->ranges();
  if (!ranges) return pass(ranges);
  List list;
  auto read = (*topic)->read(*ranges, [&](const RejectedMessage& message) {
    const std::string_view reason = reason_of(message);
    if (arguments.reason && *arguments.reason != reason) return Result<void>();
    list.reasons[reason].add(message);
    list.newest.insert(listed(message));
    if (list.newest.size() > arguments.limit) list.newest.erase(list.newest.begin());
    return Result<void>();
  });
  if (!read) return pass(read);
  return list;
}

json::object document(const List& list, const std::string& topic) {
  json::array reasons;
  for (const auto& [reason, of] : list.reasons) {
    reasons.push_back(json::object{{"reason", reason},
                                   {"count", of.count},
                                   {"oldest", format_rfc3339(of.oldest)},
                                   {"newest", format_rfc3339(of.newest)},
                                   {"redriven", of.redriven}});
  }
  json::array records;
  for (auto record = list.newest.rbegin(); record != list.newest.rend(); ++record) {
    records.push_back(json::object{{"id", fmt::format("{}:{}", record->partition, record->offset)},
                                   {"reason", record->reason},
                                   {"position", record->position},
                                   {"received", format_rfc3339(record->received)},
                                   {"size", record->size},
                                   {"redriven", record->redriven},
                                   {"beginning", printable(record->beginning, kBeginningColumns)}});
    if (!record->detail.empty()) records.back().as_object()["detail"] = record->detail;
  }
  return {{"topic", topic}, {"reasons", std::move(reasons)}, {"records", std::move(records)}};
}

std::string tables(const List& list, const std::string& topic) {
  const Terminal terminal = Terminal::of(stdout);
  TextTable reasons({{"reason"}, {"count", true}, {"redriven", true}, {"oldest"}, {"newest"}});
  std::uint64_t count = 0;
  for (const auto& [reason, of] : list.reasons) {
    count += of.count;
    reasons.add({std::string(reason), format_count(of.count), format_count(of.redriven),
                 format_rfc3339(of.oldest), format_rfc3339(of.newest)});
  }
  const auto summary =
      fmt::format("{} shown of {} in {}; `dwell rejects show ID` prints the raw bytes of one\n",
                  format_count(list.newest.size()), format_count(count), topic);
  if (count == 0) return summary;
  const bool has_details = std::any_of(list.newest.begin(), list.newest.end(),
                                       [](const Listed& one) { return !one.detail.empty(); });
  std::vector<TextTable::Column> columns_of_records{{"id", true}, {"reason"},      {"position"},
                                                    {"received"}, {"bytes", true}, {"record"}};
  if (has_details) columns_of_records.push_back({"detail"});
  TextTable records(columns_of_records);
  const std::size_t columns = std::max<std::size_t>(24, terminal.width / 2);
  for (auto record = list.newest.rbegin(); record != list.newest.rend(); ++record) {
    std::vector<std::string> cells{fmt::format("{}:{}", record->partition, record->offset),
                                   std::string(record->reason),
                                   record->position,
                                   format_rfc3339(record->received),
                                   format_count(record->size),
                                   printable(record->beginning, columns)};
    if (has_details) cells.push_back(record->detail);
    records.add(std::move(cells));
  }
  const auto shown = list.newest.empty() ? "" : records.render(terminal) + '\n';
  return reasons.render(terminal) + '\n' + shown + summary;
}

json::object document(const RejectedMessage& message) {
  json::array headers;
  for (const auto& [name, value] : message.headers) {
    headers.push_back(
        json::object{{"name", printable(name, kBeginning)}, {"bytes", base64(value)}});
  }
  const auto bytes_of = [](std::string_view bytes) {
    return bytes.data() ? json::value(base64(bytes)) : json::value(nullptr);
  };
  json::object all{{"id", fmt::format("{}:{}", message.partition, message.offset)},
                   {"reason", reason_of(message)},
                   {"position", position_of(message)},
                   {"received", format_rfc3339(message.received)},
                   {"redriven", message.redriven},
                   {"headers", std::move(headers)},
                   {"key", bytes_of(message.key)},
                   {"bytes", bytes_of(message.value)}};
  if (!message.detail.empty()) all["detail"] = printable(message.detail, kDetailColumns);
  return all;
}

std::vector<Outcome> chosen_reasons(const std::vector<std::string>& names) {
  std::vector<Outcome> chosen;
  for (const std::string_view name : kOutcomeNames) {
    const auto reason = dwell::reason_of(name);
    const bool is_chosen =
        names.empty() || std::find(names.begin(), names.end(), name) != names.end();
    if (reason && is_chosen) chosen.push_back(*reason);
  }
  return chosen;
}

std::string summary(const RedriveCounts& sum, const Config& config, bool is_dry_run) {
  std::string text = fmt::format("{} {} sent to {}", format_count(sum.sent),
                                 is_dry_run ? "would be" : "were", config.topics.input);
  if (sum.again) {
    text += fmt::format("; {} left that were redriven before: `--again` sends them",
                        format_count(sum.again));
  }
  if (sum.cut) {
    text += fmt::format("; {} skipped of which only the beginning is held", format_count(sum.cut));
  }
  if (sum.too_often) {
    text += fmt::format("; {} skipped that were redriven {} times", format_count(sum.too_often),
                        kMostRedriven);
  }
  return text + '\n';
}

Result<void> print_report(const RedriveReport& report, const Config& config,
                          const RedriveArguments& arguments) {
  RedriveCounts sum;
  TextTable table({{"reason"},
                   {arguments.is_dry_run ? "to send" : "sent", true},
                   {"cut", true},
                   {"redriven before", true},
                   {"too often", true}});
  json::object reasons;
  for (const auto& [reason, counts] : report) {
    sum.sent += counts.sent;
    sum.cut += counts.cut;
    sum.again += counts.again;
    sum.too_often += counts.too_often;
    table.add({std::string(name(reason)), format_count(counts.sent), format_count(counts.cut),
               format_count(counts.again), format_count(counts.too_often)});
    reasons[name(reason)] = json::object{{"sent", counts.sent},
                                         {"cut", counts.cut},
                                         {"redrivenBefore", counts.again},
                                         {"tooOften", counts.too_often}};
  }
  if (arguments.format == Format::json) {
    return print_document(
        json::object{{"dryRun", arguments.is_dry_run}, {"reasons", std::move(reasons)}});
  }
  return print(table.render(Terminal::of(stdout)) + summary(sum, config, arguments.is_dry_run));
}

Result<void> list_rejects(const Config& config, const ListArguments& arguments) {
  const Log log(kMessages);
  auto list = make_list(config, arguments);
  if (!list) return explained(list, config);
  if (arguments.format == Format::json) {
    return print_document(document(*list, config.topics.rejected));
  }
  return print(tables(*list, config.topics.rejected));
}

Result<void> show_reject(const Config& config, const ShowArguments& arguments) {
  const Log log(kMessages);
  auto topic =
      RejectedTopic::open(kafka_options(config), config.topics.rejected, config.group + "-redrive");
  if (!topic) return pass(topic);
  auto ranges = (*topic)->ranges();
  if (!ranges) return explained(ranges, config);
  const auto [partition, offset] = arguments.id;
  const auto held = std::find_if(ranges->begin(), ranges->end(),
                                 [&, partition = partition](const RejectedTopic::Range& r) {
                                   return r.partition == partition;
                                 });
  bool is_found = false;
  Result<void> printed;
  if (held != ranges->end() && offset >= held->start && offset < held->end) {
    const RejectedTopic::Range one{partition, offset, offset + 1};
    auto read = (*topic)->read({&one, 1}, [&](const RejectedMessage& message) {
      is_found = true;
      printed = arguments.format == Format::json ? print_document(document(message))
                                                 : print(message.value);
      return printed;
    });
    if (!read) return printed ? explained(read, config) : printed;
  }
  if (is_found) return {};
  return fail(ErrorKind::not_found,
              "no rejected record {}:{} in {}; `dwell rejects ls` lists the newest", partition,
              offset, config.topics.rejected);
}

// Sends rejected records back to the input, each once.
Result<void> redrive(const Config& config, const RedriveArguments& arguments) {
  const Log log(kMessages);
  RedriveOptions options;
  options.topics = config.topics;
  options.group = config.group;
  options.reasons = chosen_reasons(arguments.reasons);
  options.sends_again = arguments.sends_again;
  options.batch_records = config.limits.batch_records;
  options.batch_bytes = config.limits.batch_bytes;
  auto redriver = Redriver::open(kafka_options(config), options);
  if (!redriver) return pass(redriver);
  auto done = arguments.is_dry_run ? (*redriver)->rehearse() : (*redriver)->run();
  const RedriveReport& report = (*redriver)->report();
  if (!done) {
    std::uint64_t sent = 0;
    for (const auto& [reason, counts] : report) sent += counts.sent;
    if (done.error().kind == ErrorKind::lost_ownership) {
      return fail(ErrorKind::lost_ownership,
                  "{}; another redrive of group {} took over, or the brokers lost this one. {} "
                  "were sent before; the next redrive goes on behind what was sent",
                  done.error().message, config.group, format_count(sent));
    }
    return explained(done, config);
  }
  return print_report(report, config, arguments);
}

void add_redrive(CommandSet& commands, Command rejects) {
  const auto arguments = std::make_shared<RedriveArguments>();
  Command command =
      commands.add(rejects, "redrive", "Send rejected records back to the input topic, each once",
                   {"brokers", "kafka.", "topics.", "clean.group", "batch."},
                   [arguments](const Config& config) { return redrive(config, *arguments); });
  command.add("--reason", arguments->reasons, "Only those rejected for this reason; once for each")
      .among(rejection_reasons());
  command.add_switch("--dry-run", arguments->is_dry_run,
                     "Say what would be sent, and send nothing");
  command.add_switch(
      "--again", arguments->sends_again,
      fmt::format("Also those that were redriven before, up to {} times each", kMostRedriven));
  command.add_json(arguments->format);
}

}  // namespace

void add_rejects_of_topic(CommandSet& commands, Command rejects) {
  const SettingKeys keys{"brokers", "kafka.", "topics.", "clean.group"};
  const auto list = std::make_shared<ListArguments>();
  Command ls =
      commands.add(rejects, "ls", "Count the records of the rejected topic and show the newest",
                   keys, [list](const Config& config) { return list_rejects(config, *list); });
  auto reasons = rejection_reasons();
  reasons.emplace_back(kNotCleaned);
  ls.add("--reason", list->reason, "Only those rejected for this reason").among(reasons);
  ls.add("--limit", list->limit, "Show at most this many")
      .number()
      .between(0, kMostListed)
      .shows_default();
  ls.add_json(list->format);

  const auto shown = std::make_shared<ShowArguments>();
  Command show =
      commands.add(rejects, "show", "Print the raw bytes of a record of the rejected topic", keys,
                   [shown](const Config& config) { return show_reject(config, *shown); });
  show.add_parsed(
          "PARTITION:OFFSET", [shown](const std::string& text) { shown->id = *parse_place(text); },
          "Its id, as `rejects ls` shows it")
      .checked(check_place)
      .required();
  show.add_json(shown->format);
  add_redrive(commands, rejects);
}

}  // namespace dwell
