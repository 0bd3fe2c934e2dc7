#include "app/commands/commands.h"
#include "app/commands/time_reader.h"
#include "app/process/system_clock.h"
#include "app/settings/units.h"
#include "app/terminal/output.h"
#include "app/terminal/terminal.h"
#include "base/awaited.h"
#include "questions/carried.h"
#include "questions/presence.h"
#include "questions/timeline.h"
#include "sqlite/sqlite_row_reader.h"

namespace dwell {
namespace {

struct WhoArguments {
  std::optional<std::string> at;  // as typed; empty: now
  std::string zone = "UTC";
  Format format = Format::table;
};

constexpr std::size_t kDevicesAPage = 1'000;
constexpr std::size_t kRowsOfPage = 10'000;
constexpr Milliseconds kStripSpan = std::chrono::hours(24);
constexpr std::size_t kStripColumns = 24;  // one for each hour

// Calls f(inside) for every page of devices inside.
template <typename F>
Result<void> each_page(RowReader& reader, Timestamp at, F f) {
  boost::asio::io_context context(1);
  PresenceQuery query;
  query.at = at;
  query.limit = kDevicesAPage;
  do {
    auto page = awaited(context, presence(reader, query));
    if (!page) return pass(page);
    if (Result<void> done = f(page->inside); !done) return done;
    query.after = std::move(page->next);
  } while (query.after);
  return {};
}

Result<void> print_list(RowReader& reader, Timestamp at, Format format) {
  const bool is_json = format == Format::json;
  PresenceWriter writer(is_json ? Representation::json : Representation::csv, at);
  std::string text;
  writer.begin(text);
  auto all = each_page(reader, at, [&](const std::vector<Presence>& inside) {
    for (const Presence& presence : inside) writer.add(presence, text);
    return print(std::exchange(text, {}));
  });
  if (!all) return all;
  if (is_json) writer.end(std::nullopt, text);
  return print(text);
}

// The last day before `at`.
Result<std::string> strip_of(RowReader& reader, const std::string& device, Timestamp at,
                             const Terminal& terminal) {
  boost::asio::io_context context(1);
  const auto begin = std::max(kEarliest, at - kStripSpan);
  auto fold = awaited(context, carried_until(reader, device, begin));
  if (!fold) return pass(fold);
  PresenceStrip strip(begin, at, kStripColumns);
  Timeline timeline(device, begin, at);
  do {
    if (auto read = awaited(context, timeline.read(reader, kRowsOfPage)); !read) return pass(read);
    for (const Row& row : timeline.rows()) fold->add(row);
    for (const Stay& stay : fold->take_ended()) strip.add(stay);
  } while (timeline.has_more());
  for (const Stay& stay : fold->stays()) strip.add(stay);
  return strip.render(terminal);
}

Result<void> print_table(RowReader& reader, Timestamp at) {
  const Terminal terminal = Terminal::of(stdout);
  std::uint64_t count = 0;
  auto all = each_page(reader, at, [&](const std::vector<Presence>& inside) -> Result<void> {
    if (inside.empty()) return {};
    TextTable table({{"device"}, {"inside since"}, {"for", true}, {"24 h before"}});
    for (const Presence& presence : inside) {
      auto strip = strip_of(reader, presence.device, at, terminal);
      if (!strip) return pass(strip);
      table.add({printable(presence.device), format_rfc3339(presence.since),
                 format_span(at - presence.since), *strip});
    }
    count += inside.size();
    return print(table.render(terminal));
  });
  if (!all) return all;
  return print(fmt::format("{} device{} inside at {}\n", format_count(count), count == 1 ? "" : "s",
                           format_rfc3339(at)));
}

Result<void> who(const Config& config, const WhoArguments& arguments) {
  const auto now = SystemClock().wall();
  const auto times = TimeReader::in(arguments.zone, now);
  if (!times) return pass(times);
  const auto at = times->read("--at", arguments.at, now);
  if (!at) return pass(at);
  auto reader = SqliteRowReader::open(config.db_path);
  if (!reader) return pass(reader);
  return arguments.format == Format::table ? print_table(**reader, *at)
                                           : print_list(**reader, *at, arguments.format);
}

}  // namespace

void add_who(CommandSet& commands) {
  const auto arguments = std::make_shared<WhoArguments>();
  Command command = commands.add(
      commands.program(), "who", "Show which devices are inside, and since when", {"db.path"},
      [arguments](const Config& config) { return who(config, *arguments); });
  command.add_time("--at",
                   "At this time instead of now: RFC 3339, 2025-07-08, yesterday, today, now-2h",
                   arguments->at);
  command.add_zone(arguments->zone);
  command.add_json(arguments->format);
  command.add_csv(arguments->format);
}

}  // namespace dwell
