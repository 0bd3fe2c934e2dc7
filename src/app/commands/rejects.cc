#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "app/commands/argument_checks.h"
#include "app/commands/commands.h"
#include "app/commands/rejects_topic.h"
#include "app/commands/told_reject.h"
#include "app/settings/config_loader.h"
#include "app/settings/units.h"
#include "app/terminal/output.h"
#include "app/terminal/terminal.h"
#include "base/base64.h"
#include "sqlite/sqlite_report.h"

namespace dwell {
namespace {

struct RejectsArguments {
  std::optional<std::string> reason;
  std::optional<std::string> device;
  std::optional<std::int64_t> id;  // print the raw bytes of this one
  std::size_t limit = 100;
  Format format = Format::table;
};

constexpr std::size_t kPage = 1'000;

std::string json_line(const RejectedRecord& record, const Told& told) {
  boost::json::object object{{"id", record.id},
                             {"reason", record.reason},
                             {"source", record.source},
                             {"offset", record.offset},
                             {"received", format_rfc3339(record.received)},
                             {"detail", told.detail},
                             {"bytes", base64(record.bytes)}};
  if (told.line) object["line"] = *told.line;
  if (!told.device.empty()) object["deviceID"] = told.device;
  if (record.truncated_from) object["truncatedFrom"] = record.truncated_from;
  return boost::json::serialize(object) + '\n';
}

void add_row(TextTable& table, const RejectedRecord& record, const Told& told,
             std::size_t columns) {
  table.add({fmt::format("{}", record.id), record.reason, place_of(record, told), told.detail,
             format_count(record.truncated_from ? record.truncated_from : record.bytes.size()),
             printable(record.bytes, columns)});
}

Result<void> print_raw(StoreReport& reader, std::int64_t id) {
  RejectedQuery query;
  query.id = id;
  query.limit = 1;
  auto found = reader.rejected(query);
  if (!found) return pass(found);
  if (found->empty()) {
    return fail(ErrorKind::not_found, "no rejected record {}; `dwell rejects` lists them", id);
  }
  return print(found->front().bytes);
}

Result<void> rejects(const Config& config, const RejectsArguments& arguments) {
  auto reader = SqliteReport::open(config.db_path);
  if (!reader) return pass(reader);
  if (arguments.id) return print_raw(**reader, *arguments.id);
  auto stored = (*reader)->settings();
  if (!stored) return pass(stored);
  const auto effective = with_stored(settings(), config, *stored, config.db_path);
  if (!effective) return pass(effective);
  RejectReasons reasons(effective->rule);
  LineNumbers lines;

  const Terminal terminal = Terminal::of(stdout);
  TextTable table(
      {{"id", true}, {"reason"}, {"position"}, {"detail"}, {"bytes", true}, {"record"}});
  const std::size_t columns = std::max<std::size_t>(24, terminal.width / 3);
  RejectedQuery query;
  query.reason = arguments.reason;
  std::size_t shown = 0;
  while (shown < arguments.limit) {
    query.limit = kPage;
    auto page = (*reader)->rejected(query);
    if (!page) return pass(page);
    for (const RejectedRecord& record : *page) {
      if (shown == arguments.limit) break;
      const Told told = tell_of(record, reasons, lines);
      if (arguments.device && told.device != *arguments.device) continue;
      ++shown;
      if (arguments.format == Format::json) {
        if (auto printed = print(json_line(record, told)); !printed) return printed;
      } else {
        add_row(table, record, told, columns);
      }
    }
    if (page->size() < query.limit) break;
    query.after = page->back().id;
  }
  if (arguments.format == Format::json) return {};
  auto totals = (*reader)->totals();
  if (!totals) return pass(totals);
  const auto held = totals->rejects_kept;
  return print(
      fmt::format("{}{} shown of {} held; {} removed by age or size; "
                  "`--id ID` prints the raw bytes of one\n",
                  shown ? table.render(terminal) : "", format_count(shown), format_count(held),
                  format_count(totals->rejects_dropped)));
}

}  // namespace

std::vector<std::string> rejection_reasons() {
  return {kOutcomeNames.begin() + static_cast<std::ptrdiff_t>(Outcome::malformed),
          kOutcomeNames.end()};
}

void add_rejects(CommandSet& commands) {
  const auto arguments = std::make_shared<RejectsArguments>();
  Command command = commands.add(
      commands.program(), "rejects", "Show the records that were rejected, and why", {"db.path"},
      [arguments](const Config& config) { return rejects(config, *arguments); });
  command.add("--reason", arguments->reason, "Only those rejected for this reason")
      .among(rejection_reasons());
  command.add("--device", arguments->device, "Only those of this device");
  command.add("--id", arguments->id, "Print the raw bytes of this one");
  command.add("--limit", arguments->limit, "Show at most this many").number().shows_default();
  command.add_json(arguments->format);
  add_rejects_of_topic(commands, command);
}

}  // namespace dwell
