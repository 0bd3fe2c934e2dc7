#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/event.h"

namespace dwell {

inline constexpr std::size_t kLargestPage = 100'000;  // rows or records that are read at once

// One stored row of a device's timeline. Rows are ordered by (timestamp, rank, type).
struct Row {
  Timestamp timestamp;
  std::uint64_t rank;
  EventType type;
  std::uint64_t seq;
  // The type of a row that is neither enter nor exit, in a table that others have filled: it is
  // listed, and no question about presence sees it. `type` says nothing then.
  std::string other_type = {};

  std::string_view type_name() const { return other_type.empty() ? wire_name(type) : other_type; }

  friend bool operator==(const Row&, const Row&) = default;
};

inline bool comes_before(const Row& a, const Row& b) {
  if (a.timestamp != b.timestamp) return a.timestamp < b.timestamp;
  if (a.rank != b.rank) return a.rank < b.rank;
  return a.type_name() < b.type_name();
}

}  // namespace dwell
