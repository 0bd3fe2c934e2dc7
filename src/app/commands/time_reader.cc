#include "app/commands/time_reader.h"

#include "app/settings/time_zones.h"
#include "app/settings/units.h"

namespace dwell {

using std::chrono::days;
using std::chrono::floor;

Result<TimeReader> TimeReader::in(const std::string& zone, Timestamp now) {
  const auto read = read_time_zone(zone);
  if (read) return TimeReader(*read, now);
  return fail(read.error().kind, "--tz {}: {}; give a name of tzdata such as Europe/Berlin", zone,
              read.error().message);
}

Result<Timestamp> TimeReader::read(std::string_view flag, const std::optional<std::string>& text,
                                   Timestamp otherwise) const {
  if (!text) return otherwise;
  const auto time = read(*text);
  if (time && in_range(*time)) return *time;
  return fail(
      ErrorKind::invalid,
      "{} {}: is {}; give RFC 3339 such as 2025-07-08T12:00:00Z, the same without a zone, a "
      "day such as 2025-07-08, today, yesterday, now, or now-2h (units ms, s, min, h and d)",
      flag, text->empty() ? "\"\"" : *text, time ? "not from 1970 to 9999" : "no time");
}

std::optional<Timestamp> TimeReader::read(std::string_view text) const {
  constexpr std::string_view kBefore = "now-";
  if (text == "now") return now_;
  if (text == "today") return zone_.start_of(zone_.day_of(now_));
  if (text == "yesterday") return zone_.start_of(zone_.day_of(now_) - days(1));
  if (text.starts_with(kBefore)) {
    const auto duration = parse_duration(text.substr(kBefore.size()));
    if (!duration) return std::nullopt;
    return now_ - *duration;
  }
  const DateTime read = read_date_time(text);
  switch (read.form) {
    case DateTime::Form::date:
      return zone_.start_of(floor<days>(read.local));
    case DateTime::Form::local:
      return zone_.instant(read.local);
    case DateTime::Form::instant:
      return read.time;
    default:
      return std::nullopt;
  }
}

}  // namespace dwell
