#include "questions/timeline.h"

#include "app/commands/commands.h"
#include "app/commands/time_reader.h"
#include "app/process/system_clock.h"
#include "app/settings/units.h"
#include "app/terminal/output.h"
#include "app/terminal/terminal.h"
#include "base/awaited.h"
#include "questions/carried.h"
#include "sqlite/sqlite_row_reader.h"

namespace dwell {
namespace {

struct TimelineArguments {
  std::string device;
  std::optional<std::string> start, end;  // as typed
  std::string zone = "UTC";
  Format format = Format::table;
};

// What is asked for.
struct Window {
  std::string device;
  Timestamp start, end;
};

constexpr std::size_t kRowsAPage = 10'000;

// Calls f(rows) for every page of rows, in bounded memory.
template <typename F>
Result<void> each_page(RowReader& reader, const Window& window, F f) {
  boost::asio::io_context context(1);
  Timeline timeline(window.device, window.start, window.end);
  do {
    if (auto read = awaited(context, timeline.read(reader, kRowsAPage)); !read) return read;
    if (Result<void> done = f(timeline.rows()); !done) return done;
  } while (timeline.has_more());
  return {};
}

Result<void> print_list(RowReader& reader, const Window& window, Format format) {
  const bool is_json = format == Format::json;
  TimelineWriter writer(is_json ? Representation::json : Representation::csv, window.device);
  std::string text;
  writer.begin(text);
  auto all = each_page(reader, window, [&](const std::vector<Row>& rows) {
    for (const Row& row : rows) writer.add(row, text);
    return print(std::exchange(text, {}));
  });
  if (!all) return all;
  if (is_json) writer.end(std::nullopt, text);
  return print(text);
}

std::string row_line(const Row& row, const Terminal& terminal) {
  const bool is_enter = row.type == EventType::enter && row.other_type.empty();
  const auto color = !terminal.has_color ? "" : is_enter ? "\x1b[32m" : "\x1b[2m";
  return fmt::format("{:<26}{}{:<12}{}  {:>8}\n", format_rfc3339(row.timestamp), color,
                     printable(row.type_name()), terminal.has_color ? "\x1b[0m" : "", row.seq);
}

// The span the strip shows: what was asked for, else from the first row on, and up to the last one
// or, for a device that is still inside, to now.
struct Span {
  Timestamp begin, end;
  bool is_until_now;
};

std::string strip_lines(const std::vector<Stay>& stays, const Span& span,
                        const Terminal& terminal) {
  PresenceStrip strip(span.begin, span.end, terminal.width);
  Milliseconds inside{0};
  std::size_t count = 0;
  for (const Stay& stay : stays) {
    strip.add(stay);
    inside += clipped(stay, span.begin, span.end);
    count += stay.enter ? 1 : 0;
  }
  const bool is_inside = !stays.empty() && !stays.back().exit;
  return fmt::format("\n{}\n{} to {}: inside {} in {} stay{}{}\n", strip.render(terminal),
                     format_rfc3339(span.begin), format_rfc3339(span.end), format_span(inside),
                     count, count == 1 ? "" : "s",
                     !is_inside          ? ""
                     : span.is_until_now ? ", inside now"
                                         : ", inside at the end");
}

Result<void> print_table(RowReader& reader, const Window& window) {
  const Terminal terminal = Terminal::of(stdout);
  const auto head = fmt::format("{:<26}{:<12}  {:>8}\n", "time", "event", "seq");
  if (auto begun = print(terminal.has_color ? "\x1b[1m" + head + "\x1b[0m" : head); !begun) {
    return begun;
  }
  boost::asio::io_context context(1);
  auto fold = awaited(context, carried_until(reader, window.device, window.start));
  if (!fold) return pass(fold);
  std::optional<Timestamp> first;
  Timestamp last{};
  auto all = each_page(reader, window, [&](const std::vector<Row>& rows) {
    std::string text;
    for (const Row& row : rows) {
      fold->add(row);
      if (!first) first = row.timestamp;
      last = row.timestamp;
      text += row_line(row, terminal);
    }
    return print(text);
  });
  if (!all) return all;
  const bool is_inside = fold->standing() == Standing::inside;
  if (!first && !is_inside) {
    return print(fmt::format("no events of {} here\n", printable(window.device)));
  }
  Span span;
  const auto now = SystemClock().wall();
  span.begin = window.start == kEarliest ? *first : window.start;
  const auto open_end = is_inside ? std::max({now, last, span.begin}) : last;
  span.end = window.end == kLatest ? open_end : std::min(window.end, open_end);
  span.is_until_now = window.end >= now;
  return print(strip_lines(fold->stays(), span, terminal));
}

Result<void> timeline(const Config& config, const TimelineArguments& arguments) {
  const auto times = TimeReader::in(arguments.zone, SystemClock().wall());
  if (!times) return pass(times);
  const auto start = times->read("--start", arguments.start, kEarliest);
  if (!start) return pass(start);
  const auto end = times->read("--end", arguments.end, kLatest);
  if (!end) return pass(end);
  auto reader = SqliteRowReader::open(config.db_path);
  if (!reader) return pass(reader);
  const Window window{arguments.device, *start, *end};
  return arguments.format == Format::table ? print_table(**reader, window)
                                           : print_list(**reader, window, arguments.format);
}

}  // namespace

void add_timeline(CommandSet& commands) {
  const auto arguments = std::make_shared<TimelineArguments>();
  Command command = commands.add(
      commands.program(), "timeline", "Show the enter and exit events of a device", {"db.path"},
      [arguments](const Config& config) { return timeline(config, *arguments); });
  command.add("DEVICE", arguments->device, "The device id").required();
  command.add_time("--start",
                   "From this time on, inclusive: RFC 3339, 2025-07-08, yesterday, today, now-2h",
                   arguments->start);
  command.add_time("--end", "Up to this time, inclusive: as --start", arguments->end);
  command.add_zone(arguments->zone);
  command.add_json(arguments->format);
  command.add_csv(arguments->format);
}

}  // namespace dwell
