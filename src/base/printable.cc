#include "base/printable.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <fmt/format.h>
#include <iterator>
#include <limits>

namespace dwell {
namespace {

struct Range {
  std::uint32_t first;
  std::uint32_t last;
};

// What has no look of its own: the categories Cc, Cf, Zl and Zp of Unicode 15, and fillers that are
// drawn as nothing. In order.
constexpr std::array kUnseen = {
    Range{0x0000, 0x001f},   Range{0x007f, 0x009f},   Range{0x00ad, 0x00ad},
    Range{0x034f, 0x034f},   Range{0x0600, 0x0605},   Range{0x061c, 0x061c},
    Range{0x06dd, 0x06dd},   Range{0x070f, 0x070f},   Range{0x0890, 0x0891},
    Range{0x08e2, 0x08e2},   Range{0x115f, 0x1160},   Range{0x17b4, 0x17b5},
    Range{0x180b, 0x180f},   Range{0x200b, 0x200f},   Range{0x2028, 0x202e},
    Range{0x2060, 0x206f},   Range{0x3164, 0x3164},   Range{0xfe00, 0xfe0f},
    Range{0xfeff, 0xfeff},   Range{0xffa0, 0xffa0},   Range{0xfff0, 0xfffb},
    Range{0x110bd, 0x110bd}, Range{0x110cd, 0x110cd}, Range{0x13430, 0x1343f},
    Range{0x1bca0, 0x1bca3}, Range{0x1d173, 0x1d17a}, Range{0xe0000, 0xe0fff}};

bool is_seen(std::uint32_t code_point) {
  const auto range = std::lower_bound(kUnseen.begin(), kUnseen.end(), code_point,
                                      [](const Range& r, std::uint32_t c) { return r.last < c; });
  return range == kUnseen.end() || code_point < range->first;
}

bool continues_code_point(char byte) {
  return (static_cast<unsigned char>(byte) & 0xc0) == 0x80;
}

// How many bytes the character at the front takes; 0: it is no UTF-8, or nothing is seen of it.
std::size_t length_of_seen(std::string_view text) {
  const auto first = static_cast<unsigned char>(text[0]);
  const std::size_t length = first < 0x80    ? 1
                             : first < 0xc2  ? 0
                             : first < 0xe0  ? 2
                             : first < 0xf0  ? 3
                             : first <= 0xf4 ? 4
                                             : 0;
  if (length == 0 || length > text.size()) return 0;
  std::uint32_t code_point = length == 1 ? first : first & (0x7fu >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if (!continues_code_point(text[i])) return 0;
    code_point = code_point << 6 | (static_cast<unsigned char>(text[i]) & 0x3f);
  }
  constexpr std::array<std::uint32_t, 5> kLeast{0, 0, 0x80, 0x800, 0x10000};
  const bool is_surrogate = code_point >= 0xd800 && code_point <= 0xdfff;
  const bool is_valid = code_point >= kLeast[length] && code_point <= 0x10ffff && !is_surrogate;
  return is_valid && is_seen(code_point) ? length : 0;
}

enum class Backslash { as_it_is, escaped };

std::string printed(std::string_view text, Backslash backslash, std::size_t columns) {
  std::string out;
  std::size_t width = 0;
  while (!text.empty()) {
    const bool is_escape = text[0] == '\\' && backslash == Backslash::escaped;
    const std::size_t seen = is_escape ? 0 : length_of_seen(text);
    const auto piece = seen > 0 ? std::string(text.substr(0, seen))
                                : fmt::format("\\x{:02x}", static_cast<unsigned char>(text[0]));
    text.remove_prefix(std::max<std::size_t>(seen, 1));
    width += seen > 0 ? 1 : piece.size();
    if (width + (text.empty() ? 0 : 3) > columns) return out + "...";
    out += piece;
  }
  return out;
}

}  // namespace

std::string printable(std::string_view text) {
  // No sum of widths comes near it.
  constexpr std::size_t kAll = std::numeric_limits<std::size_t>::max();
  return printed(text, Backslash::as_it_is, kAll);
}

std::string printable(std::string_view bytes, std::size_t columns) {
  return printed(bytes, Backslash::escaped, columns);
}

std::size_t display_width(std::string_view utf8) {
  return utf8.size() -
         static_cast<std::size_t>(std::count_if(utf8.begin(), utf8.end(), continues_code_point));
}

}  // namespace dwell
