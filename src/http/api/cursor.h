#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/row.h"

namespace dwell {

// Where a page ended, as an opaque text for the next request. `filter` is whatever must be the same
// in both requests; a cursor used with another filter is not read. Text of cursors: base64url of a
// version byte, a hash of the filter, and the bytes of the place; see docs/api.md.
std::string cursor_text(std::string_view place, std::string_view filter);
std::optional<std::string> parse_cursor(std::string_view text, std::string_view filter);

// The place behind a row of one device.
std::string row_place(const Row& last);
std::optional<Row> parse_row_place(std::string_view place);

// Of a list of who is inside: the moment it is about and the last device of the page.
struct PresencePlace {
  Timestamp at{};
  std::string device;
};
std::string presence_place(const PresencePlace& last);
std::optional<PresencePlace> parse_presence_place(std::string_view place);

}  // namespace dwell
