#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/timestamp.h"

namespace dwell {

// The local time of a place, by the system's tzdata (in TZDIR, else /usr/share/zoneinfo); or none.
//
// A value: copies share what was loaded, which is kept as long as the process, once for each name.
// Conversions allocate and lock nothing. Thread-safe.
class TimeZone {
 public:
  constexpr TimeZone() = default;  // none

  // Takes the names of tzdata alone, in their spelling: Europe/Berlin. UTC needs no tzdata.
  // Errors: invalid (no such name), not_found (no tzdata).
  static Result<TimeZone> load(std::string_view name);

  explicit operator bool() const { return loaded_ != nullptr; }
  std::string_view name() const;     // Europe/Berlin
  std::string_view version() const;  // of tzdata, 2025b; empty for UTC

  // When a clock there shows `local`. What it shows twice or never is read with the offset from
  // before the clocks change. In Europe/Berlin, 2025-10-26T02:30 is the first of two, 00:30Z;
  // 2025-03-30T02:30 is 01:30Z, when the clock shows 03:30. Not for none.
  Timestamp instant(LocalTime local) const;
  // The first instant of a day, which is not 00:00 where that is skipped. Not for none.
  Timestamp start_of(std::chrono::local_days day) const;
  // The day there. Not for none.
  std::chrono::local_days day_of(Timestamp time) const;

  friend constexpr bool operator==(const TimeZone&, const TimeZone&) = default;

 private:
  struct Loaded;
  constexpr explicit TimeZone(const Loaded* loaded) : loaded_(loaded) {}

  const Loaded* loaded_ = nullptr;
};

// What tzdata has.
struct Tzdata {
  std::string version;             // 2025b
  std::vector<std::string> names;  // sorted
};

// That of the system, read once. Errors: not_found (names the package to install).
Result<const Tzdata*> tzdata();

}  // namespace dwell
