#pragma once

#include <string>
#include <string_view>

namespace dwell {

// Text of others for people to read: one line that shows what is there and moves nothing else.
// Control characters, what changes the direction of text or has no width (U+202E, U+200B and the
// like), ends of lines of any kind and bytes that are no UTF-8 stand as \xNN, byte by byte.
std::string printable(std::string_view text);

// The same of any bytes, so that it can be told from text: backslashes stand as \x5c. Cut to
// `columns` with an ellipsis.
std::string printable(std::string_view bytes, std::size_t columns);

// The columns a text takes, one for each code point.
std::size_t display_width(std::string_view utf8);

}  // namespace dwell
