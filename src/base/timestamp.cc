#include "base/timestamp.h"

namespace dwell {
namespace {

// Walks over the text; every step says whether the text still fits the grammar.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : rest_(text) {}

  // Exactly `digits` decimal digits.
  bool number(int digits, int& value) {
    if (rest_.size() < static_cast<std::size_t>(digits)) return false;
    value = 0;
    for (int i = 0; i < digits; ++i) {
      if (!is_digit(rest_[i])) return false;
      value = value * 10 + (rest_[i] - '0');
    }
    rest_.remove_prefix(digits);
    return true;
  }

  bool one_of(std::string_view choices, char& found) {
    if (rest_.empty() || choices.find(rest_.front()) == std::string_view::npos) return false;
    found = rest_.front();
    rest_.remove_prefix(1);
    return true;
  }

  bool literal(char expected) {
    char found;
    return one_of(std::string_view(&expected, 1), found);
  }

  // An optional `.digits`; only the first three count.
  bool fraction_ms(int& ms) {
    ms = 0;
    if (rest_.empty() || rest_.front() != '.') return true;
    rest_.remove_prefix(1);
    std::size_t digits = 0;
    for (; digits < rest_.size() && is_digit(rest_[digits]); ++digits) {
      if (digits < 3) ms = ms * 10 + (rest_[digits] - '0');
    }
    for (std::size_t i = digits; i < 3; ++i) ms *= 10;
    rest_.remove_prefix(digits);
    return digits > 0;
  }

  bool at_end() const { return rest_.empty(); }

 private:
  static bool is_digit(char c) { return c >= '0' && c <= '9'; }
  std::string_view rest_;
};

enum class Spelling { rfc3339, common };

// `Z` or a numeric offset, as minutes east of UTC.
bool offset_minutes(Cursor& cursor, Spelling spelling, int& minutes) {
  char sign;
  if (!cursor.one_of("Zz+-", sign)) return false;
  minutes = 0;
  if (sign == 'Z' || sign == 'z') return true;
  int hour = 0, minute = 0;
  if (!cursor.number(2, hour)) return false;
  const bool is_short = spelling == Spelling::common && cursor.at_end();
  if (!is_short) {
    const bool has_colon = cursor.literal(':');
    if (!has_colon && spelling == Spelling::rfc3339) return false;
    if (!cursor.number(2, minute)) return false;
  }
  if (hour > 23 || minute > 59) return false;
  minutes = (sign == '-' ? -1 : 1) * (hour * 60 + minute);
  return true;
}

DateTime read(std::string_view text, Spelling spelling) {
  using namespace std::chrono;
  using Form = DateTime::Form;
  if (spelling == Spelling::rfc3339 && text.size() > kLongestTimestamp) return {};
  Cursor cursor(text);
  int y, mo, d, h, mi, s, ms, offset;
  if (!cursor.number(4, y) || !cursor.literal('-') || !cursor.number(2, mo) ||
      !cursor.literal('-') || !cursor.number(2, d)) {
    return {};
  }
  const year_month_day date{year{y}, month{static_cast<unsigned>(mo)},
                            day{static_cast<unsigned>(d)}};
  if (!date.ok()) return {};
  if (cursor.at_end()) return {Form::date, {}, local_days{date}};
  char separator;
  if (!cursor.one_of(spelling == Spelling::common ? "Tt " : "Tt", separator) ||
      !cursor.number(2, h) || !cursor.literal(':') || !cursor.number(2, mi) || h > 23 || mi > 59) {
    return {};
  }
  if (!cursor.literal(':')) {
    const bool is_whole = cursor.at_end() || offset_minutes(cursor, spelling, offset);
    return {is_whole && cursor.at_end() ? Form::without_seconds : Form::unknown, {}, {}};
  }
  if (!cursor.number(2, s) || s > 59 || !cursor.fraction_ms(ms)) return {};
  const LocalTime shown = local_days{date} + hours{h} + minutes{mi} + seconds{s} + Milliseconds{ms};
  if (cursor.at_end()) return {Form::local, {}, shown};
  if (!offset_minutes(cursor, spelling, offset) || !cursor.at_end()) return {};
  return {Form::instant, Timestamp{shown.time_since_epoch() - minutes{offset}}, {}};
}

// A number of exactly kDigits decimal digits. A format library takes ten times as long, and a
// timeline is little else than times.
template <int kDigits>
void put_digits(char* to, unsigned value) {
  for (int i = kDigits - 1; i >= 0; --i) {
    to[i] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
}

}  // namespace

std::optional<Timestamp> parse_rfc3339(std::string_view text) {
  const DateTime read_time = read(text, Spelling::rfc3339);
  if (read_time.form != DateTime::Form::instant || !in_range(read_time.time)) return std::nullopt;
  return read_time.time;
}

DateTime read_date_time(std::string_view text) {
  return read(text, Spelling::common);
}

std::string format_rfc3339(Timestamp t) {
  std::string text;
  Rfc3339Writer().append(text, t);
  return text;
}

void Rfc3339Writer::append(std::string& out, Timestamp t) {
  // A time before the day wraps around, to far behind it.
  if (static_cast<std::uint64_t>(to_ms(t) - day_start_) >= kMsOfDay) start_day(t);
  const auto ms_of_day = static_cast<std::uint64_t>(to_ms(t) - day_start_);
  const auto seconds = static_cast<unsigned>(ms_of_day / 1'000);
  const auto ms = static_cast<unsigned>(ms_of_day % 1'000);
  put_digits<2>(text_ + 11, seconds / 3'600);
  put_digits<2>(text_ + 14, seconds / 60 % 60);
  put_digits<2>(text_ + 17, seconds % 60);
  constexpr std::size_t kWhole = sizeof(text_) - 1;
  constexpr std::size_t kUpToSeconds = 19;
  if (ms != 0) {
    text_[kUpToSeconds] = '.';
    put_digits<3>(text_ + 20, ms);
    out.append(text_, kWhole);
  } else {
    text_[kUpToSeconds] = 'Z';
    out.append(text_, kUpToSeconds + 1);
  }
}

void Rfc3339Writer::start_day(Timestamp t) {
  using namespace std::chrono;
  const auto days = floor<std::chrono::days>(t);
  const year_month_day date{days};
  day_start_ = to_ms(time_point_cast<Milliseconds>(days));
  put_digits<4>(text_, static_cast<unsigned>(static_cast<int>(date.year())));
  put_digits<2>(text_ + 5, static_cast<unsigned>(date.month()));
  put_digits<2>(text_ + 8, static_cast<unsigned>(date.day()));
}

}  // namespace dwell
