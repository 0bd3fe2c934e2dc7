#include "core/event_timestamp.h"

#include <array>
#include <charconv>
#include <fmt/format.h>
#include <limits>

#include "base/characters.h"

namespace dwell {
namespace {

// The most usual first: a number lies within the bounds in one of them at most.
constexpr std::array kUnits{TimeUnit::ms, TimeUnit::s, TimeUnit::us, TimeUnit::ns};

// A number of milliseconds beyond every time.
constexpr std::int64_t kBeyond = std::numeric_limits<std::int64_t>::max();

// How many places the decimal point moves to make milliseconds of the unit.
int places_to_ms(TimeUnit unit) {
  switch (unit) {
    case TimeUnit::s:
      return 3;
    case TimeUnit::us:
      return -3;
    case TimeUnit::ns:
      return -6;
    default:
      return 0;
  }
}

// A JSON number as its digits without leading zeros and the place of its decimal point: 1.5E3 is 15
// with two digits before the point.
class Decimal {
 public:
  // `token` is a valid number.
  explicit Decimal(std::string_view token) {
    std::size_t i = token.front() == '-' ? 1 : 0;
    is_negative_ = i == 1;
    bool is_fraction = false;
    for (; i < token.size() && token[i] != 'e' && token[i] != 'E'; ++i) {
      if (token[i] == '.') {
        is_fraction = true;
        continue;
      }
      if (!is_fraction && (count_ > 0 || token[i] != '0')) ++point_;
      if (is_fraction && count_ == 0 && token[i] == '0') --point_;
      const bool counts = count_ > 0 || token[i] != '0';
      if (counts && count_ < kDigits) digits_[static_cast<std::size_t>(count_++)] = token[i];
    }
    if (i == token.size()) return;
    int exponent = 0;
    std::string_view text = token.substr(i + 1);
    if (text.front() == '+') text.remove_prefix(1);
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), exponent);
    // An exponent that is no int moves the point as far as matters.
    constexpr int kFar = 10'000;
    if (error != std::errc{}) exponent = text.front() == '-' ? -kFar : kFar;
    point_ += std::min(std::max(exponent, -kFar), kFar);
  }

  // Whole milliseconds when the number is in `unit`: -1 for a negative one, kBeyond for one that no
  // time reaches.
  std::int64_t ms(TimeUnit unit) const {
    if (count_ == 0) return 0;
    if (is_negative_) return -1;
    const std::int64_t whole = point_ + places_to_ms(unit);
    constexpr int kDigitsOfLatest = 15;
    if (whole > kDigitsOfLatest) return kBeyond;
    std::int64_t value = 0;
    for (int i = 0; i < whole; ++i) {
      value = value * 10 + (i < count_ ? digits_[static_cast<std::size_t>(i)] - '0' : 0);
    }
    return value;
  }

 private:
  // A millisecond is told by fewer; those behind are cut.
  static constexpr int kDigits = 32;

  std::array<char, kDigits> digits_;
  int count_ = 0;
  std::int64_t point_ = 0;  // digits before the decimal point; negative: zeros behind it
  bool is_negative_ = false;
};

// The same for a number in integer syntax, as nearly all are.
struct Integer {
  std::int64_t value;

  std::int64_t ms(TimeUnit unit) const {
    if (value < 0) return -1;
    switch (unit) {
      case TimeUnit::s:
        return value > to_ms(kLatest) / 1'000 ? kBeyond : value * 1'000;
      case TimeUnit::us:
        return value / 1'000;
      case TimeUnit::ns:
        return value / 1'000'000;
      default:
        return value;
    }
  }
};

TimeReading judge(std::int64_t ms, const TimeFormat& format) {
  const bool is_off = format.earliest == kEarliest;
  if (ms > to_ms(kLatest) || (ms < 0 && is_off)) return {{}, TimeFault::out_of_range};
  if (ms < to_ms(format.earliest)) return {{}, TimeFault::too_early};
  return {from_ms(ms)};
}

template <typename Number>
TimeReading read(const Number& number, const TimeFormat& format) {
  if (format.unit != TimeUnit::automatic) return judge(number.ms(format.unit), format);
  for (const TimeUnit unit : kUnits) {
    const std::int64_t ms = number.ms(unit);
    if (ms >= to_ms(format.earliest) && ms < to_ms(kEndOfUnits)) return {from_ms(ms)};
  }
  const bool is_below_all = number.ms(TimeUnit::s) < to_ms(format.earliest);
  return {{}, is_below_all ? TimeFault::too_early : TimeFault::no_unit_fits};
}

}  // namespace

std::string_view name(TimeUnit unit) {
  switch (unit) {
    case TimeUnit::s:
      return "s";
    case TimeUnit::ms:
      return "ms";
    case TimeUnit::us:
      return "us";
    case TimeUnit::ns:
      return "ns";
    default:
      return "auto";
  }
}

bool is_json_number(std::string_view token) {
  const char* c = token.data();
  const char* const end = c + token.size();
  // Moves over one or more digits.
  const auto digits = [&] {
    const char* const start = c;
    while (c != end && is_digit(*c)) ++c;
    return c != start;
  };
  if (c != end && *c == '-') ++c;
  if (c != end && *c == '0') {
    ++c;
  } else if (!digits()) {
    return false;
  }
  if (c != end && *c == '.') {
    ++c;
    if (!digits()) return false;
  }
  if (c != end && (*c == 'e' || *c == 'E')) {
    ++c;
    if (c != end && (*c == '+' || *c == '-')) ++c;
    if (!digits()) return false;
  }
  return c == end;
}

TimeReading read_time_number(std::string_view token, const TimeFormat& format) {
  Integer integer{};
  const char* const end = token.data() + token.size();
  const auto [rest, error] = std::from_chars(token.data(), end, integer.value);
  if (error == std::errc{} && rest == end) return read(integer, format);
  return read(Decimal(token), format);
}

TimeReading read_time_text(std::string_view text, const TimeFormat& format) {
  if (is_json_number(text)) return read_time_number(text, format);
  const DateTime read = read_date_time(text);
  switch (read.form) {
    case DateTime::Form::unknown:
      return {{}, TimeFault::no_time};
    case DateTime::Form::date:
      return {{}, TimeFault::no_time_of_day};
    case DateTime::Form::without_seconds:
      return {{}, TimeFault::no_seconds};
    case DateTime::Form::local:
      if (!format.zone) return {{}, TimeFault::no_zone};
      return judge(to_ms(format.zone.instant(read.local)), format);
    case DateTime::Form::instant:
      break;
  }
  return judge(to_ms(read.time), format);
}

std::string describe(TimeFault fault, const TimeFormat& format) {
  switch (fault) {
    case TimeFault::none:
      return {};
    case TimeFault::no_time_of_day:
      return "names a day and no time of day";
    case TimeFault::no_seconds:
      return "has no seconds";
    case TimeFault::no_zone:
      return "names no time zone, such as Z or +02:00; input.time_zone gives it one";
    case TimeFault::out_of_range:
      return "is not from 1970 to 9999";
    case TimeFault::no_unit_fits:
      return fmt::format("lies between {} and 2100 neither as s nor as ms, us or ns",
                         format_rfc3339(format.earliest).substr(0, 10));
    case TimeFault::too_early:
      return fmt::format("is before clock.earliest, {}", format_rfc3339(format.earliest));
    case TimeFault::no_time:
      break;
  }
  return "is no RFC 3339 time and no number";
}

}  // namespace dwell
