#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/time_zone.h"
#include "base/timestamp.h"

namespace dwell {

// What a number says as a time: `automatic` takes the only unit in which it can be true.
enum class TimeUnit : std::uint8_t { automatic, s, ms, us, ns };

std::string_view name(TimeUnit unit);  // auto, s, ms, us, ns

// How the times of events are written, and the first that can be true. With TimeUnit::automatic
// `earliest` is at least kEarliestToTellUnits.
struct TimeFormat {
  TimeUnit unit = TimeUnit::ms;
  Timestamp earliest = kEarliest;  // that one: off
  TimeZone zone = {};              // of texts that name none; none: they are no times

  friend bool operator==(const TimeFormat&, const TimeFormat&) = default;
};

// What fits most feeds: clocks that were not set yet begin in 1970 or 2000.
inline constexpr TimeFormat kUsualTimes{
    TimeUnit::automatic, Timestamp{std::chrono::sys_days{std::chrono::year{2010} / 1 / 1}}};

// From here to kEndOfUnits no number lies in the range of two units.
inline constexpr Timestamp kEarliestToTellUnits{
    std::chrono::sys_days{std::chrono::year{1971} / 1 / 1}};
inline constexpr Timestamp kEndOfUnits{std::chrono::sys_days{std::chrono::year{2100} / 1 / 1}};

// Why something is no usable time.
enum class TimeFault : std::uint8_t {
  none,
  no_time,         // of no known form
  no_time_of_day,  // a date alone
  no_seconds,
  no_zone,       // a date and a time of day, in nobody knows which zone
  out_of_range,  // before 1970 or after 9999
  no_unit_fits,  // a number that lies between earliest and 2100 in no unit
  too_early,     // before TimeFormat::earliest
};

struct TimeReading {
  Timestamp time{};
  TimeFault fault = TimeFault::none;
};

// Reads a JSON number (RFC 8259 section 6) in decimal arithmetic; what is finer than a millisecond
// is cut toward the past. `token` is a valid one.
TimeReading read_time_number(std::string_view token, const TimeFormat& format);

// Reads RFC 3339, the spellings near to it (see read_date_time()) and texts of one JSON number. A
// date and a time of day without a zone are read in that of the format (see TimeZone::instant()).
TimeReading read_time_text(std::string_view text, const TimeFormat& format);

// RFC 8259 section 6.
bool is_json_number(std::string_view token);

// What was wrong, for a reader: "names no time zone", "is 1.5 as s, ...".
std::string describe(TimeFault fault, const TimeFormat& format);

}  // namespace dwell
