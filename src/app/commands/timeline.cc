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

// Calls f(row) for every row, a page at a time, in bounded memory.
template <typename F>
Result<void> each_row(TimelineReader& reader, TimelineQuery query, F f) {
  query.limit = 10'000;
  for (;;) {
    auto rows = reader.timeline(query);
    if (!rows) return pass(rows);
    for (const Row& row : *rows) {
      if (Result<void> done = f(row); !done) return done;
    }
    if (rows->size() < query.limit) return {};
    query.after = rows->back();
  }
}

Result<void> print_json(TimelineReader& reader, const TimelineQuery& query) {
  bool is_first = true;
  if (auto begun = print("{\"events\":["); !begun) return begun;
  auto all = each_row(reader, query, [&](const Row& row) {
    const boost::json::object event{{"deviceID", query.device},
                                    {"eventType", wire_name(row.type)},
                                    {"timestamp", format_rfc3339(row.timestamp)}};
    return print((std::exchange(is_first, false) ? "" : ",") + boost::json::serialize(event));
  });
  if (!all) return all;
  return print("]}\n");
}

Result<void> print_csv(TimelineReader& reader, const TimelineQuery& query) {
  if (auto begun = print("deviceID,eventType,timestamp\r\n"); !begun) return begun;
  return each_row(reader, query, [&](const Row& row) {
    return print(fmt::format("{},{},{}\r\n", csv_field(query.device), wire_name(row.type),
                             format_rfc3339(row.timestamp)));
  });
}

std::string row_line(const Row& row, const Terminal& terminal) {
  const bool is_enter = row.type == EventType::enter;
  const auto color = !terminal.has_color ? "" : is_enter ? "\x1b[32m" : "\x1b[2m";
  return fmt::format("{:<26}{}{:<12}{}  {:>8}\n", format_rfc3339(row.timestamp), color,
                     wire_name(row.type), terminal.has_color ? "\x1b[0m" : "", row.seq);
}

// The span the strip shows: what was asked for, else from the first row to the last or to now for a
// device that is still inside.
std::string strip_lines(const std::vector<Session>& sessions, Timestamp first, Timestamp last,
                        const TimelineArguments& arguments, Timestamp now,
                        const Terminal& terminal) {
  const bool is_inside = !sessions.empty() && !sessions.back().end;
  const auto begin = arguments.start == kEarliest ? first : arguments.start;
  const auto open_end = is_inside ? std::max(now, last) : last;
  const auto end = arguments.end == kLatest ? open_end : std::min(arguments.end, open_end);
  Milliseconds inside{0};
  for (const Session& session : sessions) {
    inside += std::max(Milliseconds{0}, session.end.value_or(end) - session.begin.value_or(begin));
  }
  return fmt::format("\n{}\n{} to {}: inside {} in {} stay{}{}\n",
                     presence_strip(sessions, begin, end, terminal.width, terminal),
                     format_rfc3339(begin), format_rfc3339(end), format_span(inside),
                     sessions.size(), sessions.size() == 1 ? "" : "s",
                     is_inside ? ", inside now" : "");
}

Result<void> print_table(TimelineReader& reader, const TimelineQuery& query,
                         const TimelineArguments& arguments) {
  const Terminal terminal = Terminal::of(stdout);
  const auto head = fmt::format("{:<26}{:<12}  {:>8}\n", "time", "event", "seq");
  if (auto begun = print(terminal.has_color ? "\x1b[1m" + head + "\x1b[0m" : head); !begun) {
    return begun;
  }
  SessionFold fold;
  std::optional<Timestamp> first;
  Timestamp last{};
  auto all = each_row(reader, query, [&](const Row& row) {
    fold.add(row);
    if (!first) first = row.timestamp;
    last = row.timestamp;
    return print(row_line(row, terminal));
  });
  if (!all) return all;
  if (!first) return print(fmt::format("no events of {} here\n", printable(query.device)));
  return print(
      strip_lines(fold.sessions(), *first, last, arguments, SystemClock().wall(), terminal));
}

}  // namespace

Result<void> timeline(const Config& config, const TimelineArguments& arguments) {
  auto reader = SqliteReader::open(config.db_path);
  if (!reader) return pass(reader);
  TimelineQuery query;
  query.device = arguments.device;
  query.start = arguments.start;
  query.end = arguments.end;
  switch (arguments.format) {
    case Format::json:
      return print_json(**reader, query);
    case Format::csv:
      return print_csv(**reader, query);
    case Format::table:
      return print_table(**reader, query, arguments);
  }
  return {};
}

}  // namespace dwell
