#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time_zone.h"

namespace dwell {

// Reads times as people type them behind the flags of a command: RFC 3339, also without a zone;
// 2025-07-08, today and yesterday, which are the beginnings of days; now and now-2h.
class TimeReader {
 public:
  // `zone`, a name of tzdata or UTC, is that of days and of times that name none. Errors: invalid,
  // not_found (no tzdata).
  static Result<TimeReader> in(const std::string& zone, Timestamp now);

  // `otherwise` when the flag was not given; else from kEarliest to kLatest. Errors: invalid.
  Result<Timestamp> read(std::string_view flag, const std::optional<std::string>& text,
                         Timestamp otherwise) const;

 private:
  TimeReader(TimeZone zone, Timestamp now) : zone_(zone), now_(now) {}
  std::optional<Timestamp> read(std::string_view text) const;

  TimeZone zone_;
  Timestamp now_;
};

}  // namespace dwell
