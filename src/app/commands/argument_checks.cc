#include "app/commands/argument_checks.h"

#include <cctype>
#include <limits>

#include "app/settings/units.h"

namespace dwell {

std::string check_time(const std::string& text) {
  return parse_rfc3339(text) ? "" : "expected an RFC 3339 time such as 2025-07-08T12:00:00Z";
}

std::string check_duration(const std::string& text) {
  return parse_duration(text) ? "" : "expected a duration such as 250ms, 90s or 5min";
}

std::optional<std::pair<PartitionId, Offset>> parse_place(std::string_view text) {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) return {};
  const auto partition = parse_count(text.substr(0, colon));
  const auto offset = parse_count(text.substr(colon + 1));
  if (!partition || *partition > std::numeric_limits<PartitionId>::max()) return {};
  if (!offset || *offset >= std::numeric_limits<Offset>::max()) return {};
  return std::pair(static_cast<PartitionId>(*partition), static_cast<Offset>(*offset));
}

std::string check_place(const std::string& text) {
  return parse_place(text) ? "" : "expected PARTITION:OFFSET such as 0:42";
}

// The parser takes -5 for a count (and wraps it around) and nan for a number in a range.
std::string check_number(const std::string& text) {
  const bool is_number =
      !text.empty() && (std::isdigit(static_cast<unsigned char>(text[0])) != 0 || text[0] == '.');
  return is_number ? "" : "expected a number that is not negative";
}

}  // namespace dwell
