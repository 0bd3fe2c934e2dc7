#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/timestamp.h"

namespace dwell {

// A request target taken apart (RFC 9110 section 7.1, RFC 3986): the path split on raw `/`, then
// each segment percent-decoded once, so that `a%2Fb` is the one segment "a/b".
struct Target {
  std::vector<std::string> segments;  // of "/timeline/cam-1": "timeline", "cam-1"
  std::vector<std::pair<std::string, std::string>> parameters;  // decoded once; `+` stays `+`

  // The last parameter of that name.
  const std::string* parameter(std::string_view name) const;
};

inline constexpr std::size_t kLongestTarget = 8'192;  // bytes
inline constexpr std::size_t kMostParameters = 32;

// Errors: invalid (not an absolute path, a broken %XX, too many parameters).
Result<Target> parse_target(std::string_view text);

// An RFC 3339 time as clients send it in a query: its `+02:00` may have been escaped not at all,
// once, or (a common client bug) twice, of which parse_target() has undone one.
std::optional<Timestamp> parse_time_parameter(std::string_view text);

}  // namespace dwell
