#include "tests/golden/case_file.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <sstream>

namespace dwell::golden {
namespace {

// The receive time of records before any `now` line: late enough for every small timestamp.
constexpr Timestamp kDefaultNow = from_ms(1'000'000'000);

// What is wrong with a line; parse_case adds where.
struct Problem {
  std::string text;
};

// The words of one line, taken from left to right.
class Words {
 public:
  explicit Words(std::string_view line) : rest_(line) { skip_spaces(); }

  bool is_at_end() const { return rest_.empty(); }

  std::string word(std::string_view what) {
    if (is_at_end()) throw Problem{fmt::format("{} is missing", what)};
    const auto end = std::min(rest_.find(' '), rest_.size());
    std::string word(rest_.substr(0, end));
    rest_.remove_prefix(end);
    skip_spaces();
    return word;
  }

  std::int64_t number(std::string_view what) {
    const auto text = word(what);
    std::int64_t value;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) {
      throw Problem{fmt::format("{} is not a number: {}", what, text)};
    }
    return value;
  }

  std::uint64_t count(std::string_view what) {
    const auto value = number(what);
    if (value < 0) throw Problem{fmt::format("{} is negative", what)};
    return static_cast<std::uint64_t>(value);
  }

  Timestamp time() { return from_ms(number("the time")); }

  EventType type() {
    const auto text = word("enter or exit");
    if (text == short_name(EventType::enter)) return EventType::enter;
    if (text == short_name(EventType::exit)) return EventType::exit;
    throw Problem{fmt::format("neither enter nor exit: {}", text)};
  }

  // One of `choices`, as its place among them.
  std::size_t choice(std::initializer_list<std::string_view> choices) {
    const auto text = word("the value");
    const auto found = std::find(choices.begin(), choices.end(), text);
    if (found == choices.end()) throw Problem{fmt::format("not a value here: {}", text)};
    return static_cast<std::size_t>(found - choices.begin());
  }

  void literal(std::string_view expected) {
    if (word(expected) != expected) throw Problem{fmt::format("`{}` was expected", expected)};
  }

  std::string rest() { return std::string(std::exchange(rest_, {})); }

  void end() const {
    if (!is_at_end()) throw Problem{fmt::format("too much in the line: {}", rest_)};
  }

 private:
  void skip_spaces() { rest_.remove_prefix(std::min(rest_.find_first_not_of(' '), rest_.size())); }
  std::string_view rest_;
};

// `%0A` stands for the byte 0x0A; everything else for itself.
std::string percent_decoded(std::string_view text) {
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      bytes.push_back(text[i]);
      continue;
    }
    unsigned char byte = 0;
    const char* digits = text.data() + i + 1;
    const bool has_digits = text.size() - i > 2;
    if (!has_digits || std::from_chars(digits, digits + 2, byte, 16).ptr != digits + 2) {
      throw Problem{"% needs two hexadecimal digits"};
    }
    bytes.push_back(static_cast<char>(byte));
    i += 2;
  }
  return bytes;
}

Outcome drop_outcome(std::string_view text) {
  const auto found = std::find(kOutcomeNames.begin() + 1, kOutcomeNames.end(), text);
  if (found == kOutcomeNames.end()) throw Problem{fmt::format("not a reason: {}", text)};
  return static_cast<Outcome>(found - kOutcomeNames.begin());
}

std::optional<Milliseconds> limit(Words& words) {
  const auto text = words.rest();
  if (text == "off") return std::nullopt;
  return Milliseconds{Words(text).count("the limit")};
}

// Settings carry the names of docs/settings.md; durations are milliseconds here.
void set(Rule& rule, Words& words) {
  const auto setting = words.word("the setting");
  if (setting == "order") {
    rule.order = static_cast<Order>(words.choice({"arrival", "event_time"}));
  } else if (setting == "first_exit") {
    rule.first_exit = static_cast<FirstExit>(words.choice({"accept", "suppress"}));
  } else if (setting == "clock.source") {
    rule.clock_source = static_cast<ClockSource>(words.choice({"event", "received"}));
  } else if (setting == "duplicate.window") {
    rule.duplicate_window = static_cast<std::uint32_t>(words.count("the window"));
  } else if (setting == "order.window_max") {
    rule.window_max = static_cast<std::uint32_t>(words.count("the window"));
  } else if (setting == "order.horizon") {
    rule.horizon = Milliseconds{words.count("the horizon")};
  } else if (setting == "clock.max_ahead") {
    rule.max_ahead = limit(words);
  } else if (setting == "clock.max_behind") {
    rule.max_behind = limit(words);
  } else if (setting == "clock.earliest") {
    const auto text = words.word("off or the time");
    const auto time = parse_rfc3339(text);
    if (text != "off" && !time) throw Problem{fmt::format("neither off nor a time: {}", text)};
    rule.time.earliest = time.value_or(kEarliest);
  } else if (setting == "input.time_unit") {
    rule.time.unit = static_cast<TimeUnit>(words.choice({"auto", "s", "ms", "us", "ns"}));
  } else if (setting == "input.time_zone") {
    const auto zone = TimeZone::load(words.word("the zone"));
    if (!zone) throw Problem{zone.error().message};
    rule.time.zone = *zone;
  } else {
    throw Problem{fmt::format("no such setting: {}", setting)};
  }
}

class Parser {
 public:
  explicit Parser(CaseFile& parsed) : case_(parsed) {}

  void line(int number, std::string_view text) {
    Words words(text);
    if (words.is_at_end() || text.front() == '#') return;
    const auto keyword = words.word("the keyword");
    if (!settings(keyword, words) && !record(keyword, words, number) && !effect(keyword, words) &&
        !ending(keyword, words)) {
      throw Problem{fmt::format("unknown line: {}", keyword)};
    }
    words.end();
  }

  // A record that nothing is expected of would test nothing.
  void close_step() const {
    if (case_.steps.empty()) return;
    const Step& step = case_.steps.back();
    if (step.outcome == Outcome::accepted && step.changes.empty()) {
      throw Problem{fmt::format("no effect is given for the record in line {}", step.line)};
    }
  }

 private:
  bool settings(std::string_view keyword, Words& words) {
    if (keyword == "set") {
      if (!case_.steps.empty()) throw Problem{"settings stand before the first record"};
      set(case_.rule, words);
      return true;
    }
    if (keyword == "now") {
      now_ = words.time();
      return true;
    }
    return false;
  }

  bool record(std::string_view keyword, Words& words, int line) {
    Step step{line, {}, now_, 0, Outcome::accepted, {}, {}};
    if (keyword == "in") {
      const auto device = words.word("the device");
      const auto type = words.type();
      step.bytes = fmt::format(R"({{"device_id":"{}","event_type":"{}","timestamp":{}}})", device,
                               wire_name(type), to_ms(words.time()));
    } else if (keyword == "raw") {
      step.bytes = words.rest();
    } else if (keyword == "bytes") {
      step.bytes = percent_decoded(words.rest());
    } else if (keyword == "long") {
      step.truncated_from = words.count("the length");
      step.bytes = words.rest();
    } else {
      return false;
    }
    close_step();
    case_.steps.push_back(std::move(step));
    return true;
  }

  bool effect(std::string_view keyword, Words& words) {
    if (keyword != "drop" && keyword != "out" && keyword != "retract") return false;
    if (has_ending()) throw Problem{"effects stand below their record"};
    if (case_.steps.empty()) throw Problem{"no record stands above"};
    Step& step = case_.steps.back();
    if (step.outcome != Outcome::accepted) throw Problem{"the record was dropped"};
    if (keyword == "drop") {
      if (!step.changes.empty()) throw Problem{"the record was accepted"};
      step.outcome = drop_outcome(words.word("the reason"));
      if (step.outcome == Outcome::ignored) step.ignored_type = words.word("the ignored type");
      return true;
    }
    const auto operation = keyword == "out" ? Operation::insert : Operation::retract;
    step.changes.push_back(change(words, operation));
    return true;
  }

  DeviceChange change(Words& words, Operation operation) const {
    DeviceChange change{words.word("the device"), {}};
    change.change.type = words.type();
    change.change.timestamp = words.time();
    change.change.operation = operation;
    words.literal("seq");
    change.change.seq = words.count("the seq");
    change.change.rank = case_.rule.order == Order::arrival ? change.change.seq : 0;
    if (!words.is_at_end()) {
      words.literal("rank");
      change.change.rank = words.count("the rank");
    }
    return change;
  }

  bool ending(std::string_view keyword, Words& words) {
    if (keyword == "row") {
      ListedRow row{words.word("the device"), words.type(), {}};
      row.timestamp = words.time();
      case_.rows.push_back(std::move(row));
    } else if (keyword == "state") {
      case_.states.push_back(state(words));
    } else if (keyword == "total") {
      const auto name = words.word("the total");
      if (!case_.totals.emplace(name, words.count("the total")).second) {
        throw Problem{fmt::format("given twice: {}", name)};
      }
    } else {
      return false;
    }
    return true;
  }

  static ListedState state(Words& words) {
    ListedState state{words.word("the device"), {}, {}};
    const auto presence = words.choice({"inside", "outside", "unknown"});
    if (presence == 2) return state;
    state.type = presence == 0 ? EventType::enter : EventType::exit;
    words.literal("since");
    state.since = words.time();
    return state;
  }

  bool has_ending() const {
    return !case_.rows.empty() || !case_.states.empty() || !case_.totals.empty();
  }

  CaseFile& case_;
  Timestamp now_ = kDefaultNow;
};

}  // namespace

std::string_view short_name(EventType type) {
  return type == EventType::enter ? "enter" : "exit";
}

Result<CaseFile> parse_case(const std::string& file, std::string_view text) {
  CaseFile parsed;
  parsed.name = std::filesystem::path(file).stem().string();
  Parser parser(parsed);
  int number = 0;
  try {
    while (!text.empty()) {
      const auto end = std::min(text.find('\n'), text.size());
      parser.line(++number, text.substr(0, end));
      text.remove_prefix(std::min(end + 1, text.size()));
    }
    parser.close_step();
    if (parsed.steps.empty()) throw Problem{"a case without a record"};
  } catch (const Problem& problem) {
    return fail(ErrorKind::invalid, "{}:{}: {}", file, number, problem.text);
  }
  return parsed;
}

Result<CaseFile> load_case(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) return fail(ErrorKind::not_found, "{}: cannot be read", path);
  return parse_case(path, text.str());
}

}  // namespace dwell::golden
