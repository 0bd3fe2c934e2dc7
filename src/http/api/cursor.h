#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/timeline.h"

namespace dwell {

// Where a page ended, as an opaque text for the next request. `filter` is whatever must be the same
// in both requests; a cursor used with another filter is not read. Text of cursors: base64url of a
// version byte, a hash of the filter, and the fields; see docs/api.md.
std::string row_cursor(const Row& last, std::string_view filter);
std::optional<Row> parse_row_cursor(std::string_view text, std::string_view filter);

// Of a list of who is inside: the moment it is about and the last device of the page.
struct PresencePlace {
  Timestamp at{};
  std::string device;
};
std::string presence_cursor(const PresencePlace& last);
std::optional<PresencePlace> parse_presence_cursor(std::string_view text);

}  // namespace dwell
