#include "http/api/cursor.h"

#define XXH_INLINE_ALL
#include <simdjson.h>
#include <xxhash.h>

#include "base/base64.h"
#include "base/varint.h"

namespace dwell {
namespace {

constexpr std::size_t kLongestCursor = 4'096;  // an index of PostgreSQL holds no longer type
constexpr std::uint64_t kOtherType = 2;
constexpr char kVersion = 1;

std::string head(std::string_view filter) {
  std::string out(1, kVersion);
  const auto hash = XXH3_64bits(filter.data(), filter.size());
  for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(hash >> shift & 255);
  return out;
}

// Whether every store can hold a text; one that is in none need not be asked for.
bool is_storable(std::string_view text) {
  return text.find('\0') == text.npos && simdjson::validate_utf8(text.data(), text.size());
}

}  // namespace

std::string cursor_text(std::string_view place, std::string_view filter) {
  return base64url(head(filter).append(place));
}

std::optional<std::string> parse_cursor(std::string_view text, std::string_view filter) {
  if (text.size() > kLongestCursor) return std::nullopt;
  const auto bytes = from_base64url(text);
  const auto expected = head(filter);
  if (!bytes || !bytes->starts_with(expected)) return std::nullopt;
  return bytes->substr(expected.size());
}

std::string row_place(const Row& last) {
  std::string out;
  put_varint(out, static_cast<std::uint64_t>(to_ms(last.timestamp)));
  put_varint(out, last.rank);
  put_varint(out, last.other_type.empty() ? static_cast<std::uint64_t>(last.type) : kOtherType);
  return out.append(last.other_type);
}

std::optional<Row> parse_row_place(std::string_view place) {
  const auto ms = take_varint(place);
  const auto rank = take_varint(place);
  const auto type = take_varint(place);
  if (!type || !rank || !ms || *ms > static_cast<std::uint64_t>(to_ms(kLatest)) ||
      *type > kOtherType || place.empty() != (*type < kOtherType) || !is_storable(place)) {
    return std::nullopt;
  }
  return Row{from_ms(static_cast<std::int64_t>(*ms)), *rank,
             *type == kOtherType ? EventType::enter : static_cast<EventType>(*type), 0,
             std::string(place)};
}

std::string presence_place(const PresencePlace& last) {
  std::string out;
  put_varint(out, static_cast<std::uint64_t>(to_ms(last.at)));
  return out.append(last.device);
}

std::optional<PresencePlace> parse_presence_place(std::string_view place) {
  const auto ms = take_varint(place);
  if (!ms || *ms > static_cast<std::uint64_t>(to_ms(kLatest)) || place.empty() ||
      place.size() > kLongestDeviceId) {
    return std::nullopt;
  }
  return PresencePlace{from_ms(static_cast<std::int64_t>(*ms)), std::string(place)};
}

}  // namespace dwell
