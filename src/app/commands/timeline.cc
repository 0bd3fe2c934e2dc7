#include "questions/timeline.h"

#include "app/commands/commands.h"
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
  Timestamp start = kEarliest;
  Timestamp end = kLatest;
  Format format = Format::table;
};

constexpr std::size_t kPage = 10'000;

// Calls f(rows) for every page of rows, in bounded memory.
template <typename F>
Result<void> each_page(RowReader& reader, const TimelineArguments& arguments, F f) {
  boost::asio::io_context context(1);
  Timeline timeline(arguments.device, arguments.start, arguments.end);
  do {
    if (auto read = awaited(context, timeline.read(reader, kPage)); !read) return read;
    if (Result<void> done = f(timeline.rows()); !done) return done;
  } while (timeline.has_more());
  return {};
}

Result<void> print_list(RowReader& reader, const TimelineArguments& arguments) {
  const bool is_json = arguments.format == Format::json;
  TimelineWriter writer(is_json ? Representation::json : Representation::csv, arguments.device);
  std::string text;
  writer.begin(text);
  auto all = each_page(reader, arguments, [&](const std::vector<Row>& rows) {
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

Result<void> print_table(RowReader& reader, const TimelineArguments& arguments) {
  const Terminal terminal = Terminal::of(stdout);
  const auto head = fmt::format("{:<26}{:<12}  {:>8}\n", "time", "event", "seq");
  if (auto begun = print(terminal.has_color ? "\x1b[1m" + head + "\x1b[0m" : head); !begun) {
    return begun;
  }
  boost::asio::io_context context(1);
  auto fold = awaited(context, carried_until(reader, arguments.device, arguments.start));
  if (!fold) return pass(fold);
  std::optional<Timestamp> first;
  Timestamp last{};
  auto all = each_page(reader, arguments, [&](const std::vector<Row>& rows) {
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
    return print(fmt::format("no events of {} here\n", printable(arguments.device)));
  }
  Span span;
  const auto now = SystemClock().wall();
  span.begin = arguments.start == kEarliest ? *first : arguments.start;
  const auto open_end = is_inside ? std::max({now, last, span.begin}) : last;
  span.end = arguments.end == kLatest ? open_end : std::min(arguments.end, open_end);
  span.is_until_now = arguments.end >= now;
  return print(strip_lines(fold->stays(), span, terminal));
}

Result<void> timeline(const Config& config, const TimelineArguments& arguments) {
  auto reader = SqliteRowReader::open(config.db_path);
  if (!reader) return pass(reader);
  return arguments.format == Format::table ? print_table(**reader, arguments)
                                           : print_list(**reader, arguments);
}

}  // namespace

void add_timeline(CommandSet& commands) {
  const auto arguments = std::make_shared<TimelineArguments>();
  Command command = commands.add(
      commands.program(), "timeline", "Show the enter and exit events of a device", {"db.path"},
      [arguments](const Config& config) { return timeline(config, *arguments); });
  command.add("DEVICE", arguments->device, "The device id").required();
  command.add_time("--start", "From this time on, inclusive (RFC 3339)",
                   [arguments](Timestamp t) { arguments->start = t; });
  command.add_time("--end", "Up to this time, inclusive (RFC 3339)",
                   [arguments](Timestamp t) { arguments->end = t; });
  command.add_json(arguments->format);
  command.add_csv(arguments->format);
}

}  // namespace dwell
