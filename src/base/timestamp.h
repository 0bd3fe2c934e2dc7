#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace dwell {

using Milliseconds = std::chrono::milliseconds;

// A point in time: whole milliseconds since the Unix epoch, UTC, no leap seconds.
using Timestamp = std::chrono::sys_time<Milliseconds>;

// What a clock on a wall shows, in a place that is not told.
using LocalTime = std::chrono::local_time<Milliseconds>;

// The range of an event's time: 1970-01-01T00:00:00.000Z to 9999-12-31T23:59:59.999Z.
inline constexpr Timestamp kEarliest{Milliseconds{0}};
inline constexpr Timestamp kLatest{Milliseconds{253'402'300'799'999}};

// At most this many digits are in a timestamp's text form; longer text is not a timestamp.
inline constexpr std::size_t kLongestTimestamp = 64;

constexpr Timestamp from_ms(std::int64_t ms) {
  return Timestamp{Milliseconds{ms}};
}
constexpr std::int64_t to_ms(Timestamp t) {
  return t.time_since_epoch().count();
}
constexpr bool in_range(Timestamp t) {
  return t >= kEarliest && t <= kLatest;
}

// Reads an RFC 3339 date-time (section 5.6), for example 2025-07-08T12:00:00.250+02:00. `t` and
// `z` may be lower case, second 60 is refused, digits below a millisecond are cut toward the past.
// Empty when the text is anything else or the instant lies outside [kEarliest, kLatest].
std::optional<Timestamp> parse_rfc3339(std::string_view text);

// What a text says of a time, and how completely.
struct DateTime {
  enum class Form : std::uint8_t {
    unknown,
    date,             // 2025-07-08
    without_seconds,  // 2025-07-08T12:00, with or without a zone
    local,            // a date and a time of day without a zone
    instant,
  };
  Form form = Form::unknown;
  Timestamp time{};   // of an instant, which may lie outside [kEarliest, kLatest]
  LocalTime local{};  // of a date, its midnight, and of a local time
};

// Reads RFC 3339 and what is written in its place: a space for the `T`, an offset of `+0200` or
// `+02`.
DateTime read_date_time(std::string_view text);

// Writes UTC with `Z`; milliseconds only when they are not zero. `t` is in [kEarliest, kLatest].
std::string format_rfc3339(Timestamp t);
// Writes times as format_rfc3339() does; the fewer changes of the day, the quicker.
class Rfc3339Writer {
 public:
  void append(std::string& out, Timestamp t);

 private:
  static constexpr std::uint64_t kMsOfDay = 86'400'000;
  void start_day(Timestamp t);

  std::int64_t day_start_ = 0;  // ms
  char text_[25] = "1970-01-01T00:00:00.000Z";
};

}  // namespace dwell
