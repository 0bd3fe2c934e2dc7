#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time_zone.h"

namespace dwell {

// A zone by its name, or as show_time_zone() writes it; the version says what was, and is passed
// over. Errors: invalid (with the name that is most like it), not_found (no tzdata).
Result<TimeZone> read_time_zone(std::string_view text);

// Europe/Berlin (tzdata 2025b); UTC alone, which has no version.
std::string show_time_zone(TimeZone zone);

// What is said when `stored`, as show_time_zone() wrote it, is the same zone by another version of
// tzdata; empty when it is not. `place` is where it is stored, "database dwell.db".
std::string warning_of_tzdata(std::string_view stored, TimeZone zone, std::string_view place);

}  // namespace dwell
