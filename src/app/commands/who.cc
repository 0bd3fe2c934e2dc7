#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "app/commands/commands.h"
#include "app/process/system_clock.h"
#include "app/settings/units.h"
#include "app/terminal/output.h"
#include "app/terminal/terminal.h"
#include "sqlite/sqlite_reader.h"

namespace dwell {
namespace {

constexpr std::size_t kPage = 1'000;
constexpr Milliseconds kStripSpan = std::chrono::hours(24);
constexpr std::size_t kStripRows = 1'000;  // the newest rows a strip is drawn from
constexpr std::size_t kStripColumns = 24;  // one for each hour

// Calls f(page) for every page of devices inside.
template <typename F>
Result<void> each_page(TimelineReader& reader, PresenceQuery query, F f) {
  query.limit = kPage;
  for (;;) {
    auto page = reader.presence(query);
    if (!page) return pass(page);
    if (Result<void> done = f(page->inside); !done) return done;
    if (!page->next) return {};
    query.after = std::move(page->next);
  }
}

Result<void> print_json(TimelineReader& reader, const PresenceQuery& query) {
  bool is_first = true;
  auto begun = print(fmt::format("{{\"at\":\"{}\",\"devices\":[", format_rfc3339(query.at)));
  if (!begun) return begun;
  auto all = each_page(reader, query, [&](const std::vector<Presence>& page) {
    std::string text;
    for (const Presence& presence : page) {
      if (!std::exchange(is_first, false)) text += ',';
      text += boost::json::serialize(boost::json::object{
          {"deviceID", presence.device}, {"since", format_rfc3339(presence.since)}});
    }
    return print(text);
  });
  if (!all) return all;
  return print("]}\n");
}

Result<void> print_csv(TimelineReader& reader, const PresenceQuery& query) {
  if (auto begun = print("deviceID,since\r\n"); !begun) return begun;
  return each_page(reader, query, [](const std::vector<Presence>& page) {
    std::string text;
    for (const Presence& presence : page) {
      text += fmt::format("{},{}\r\n", csv_field(presence.device), format_rfc3339(presence.since));
    }
    return print(text);
  });
}

// The last day before `at`. Rows beyond kStripRows would not be told apart in the strip.
Result<std::string> strip_of(TimelineReader& reader, const Presence& presence, Timestamp at,
                             const Terminal& terminal) {
  TimelineQuery query;
  query.device = presence.device;
  query.start = std::max(kEarliest, at - kStripSpan);
  query.end = at;
  query.limit = kStripRows;
  auto rows = reader.timeline(query);
  if (!rows) return pass(rows);
  SessionFold fold;
  for (const Row& row : *rows) fold.add(row);
  auto sessions = fold.sessions();
  if (sessions.empty()) sessions.push_back({presence.since, std::nullopt});
  return presence_strip(sessions, query.start, at, kStripColumns, terminal);
}

Result<void> print_table(TimelineReader& reader, const PresenceQuery& query) {
  const Terminal terminal = Terminal::of(stdout);
  std::uint64_t count = 0;
  auto all = each_page(reader, query, [&](const std::vector<Presence>& page) -> Result<void> {
    if (page.empty()) return {};
    TextTable table({{"device"}, {"inside since"}, {"for", true}, {"24 h before"}});
    for (const Presence& presence : page) {
      auto strip = strip_of(reader, presence, query.at, terminal);
      if (!strip) return pass(strip);
      table.add({printable(presence.device), format_rfc3339(presence.since),
                 format_span(query.at - presence.since), *strip});
    }
    count += page.size();
    return print(table.render(terminal));
  });
  if (!all) return all;
  return print(fmt::format("{} device{} inside at {}\n", format_count(count), count == 1 ? "" : "s",
                           format_rfc3339(query.at)));
}

}  // namespace

Result<void> who(const Config& config, const WhoArguments& arguments) {
  auto reader = SqliteReader::open(config.db_path);
  if (!reader) return pass(reader);
  PresenceQuery query;
  query.at = arguments.at.value_or(SystemClock().wall());
  switch (arguments.format) {
    case Format::json:
      return print_json(**reader, query);
    case Format::csv:
      return print_csv(**reader, query);
    case Format::table:
      return print_table(**reader, query);
  }
  return {};
}

}  // namespace dwell
