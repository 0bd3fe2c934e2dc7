#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/event.h"

namespace dwell {

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

// A stay from its enter to its exit. Empty `begin`: it began before the first row, which is an
// exit. Empty `end`: it has not ended yet.
struct Session {
  std::optional<Timestamp> begin;
  std::optional<Timestamp> end;

  friend bool operator==(const Session&, const Session&) = default;
};

// Folds rows, given in row order, into sessions: equal neighbours merge into the first of them.
class SessionFold {
 public:
  void add(const Row& row);
  // The sessions so far, the open one included.
  std::vector<Session> sessions() const;

 private:
  std::vector<Session> closed_;
  std::optional<EventType> last_;
  Timestamp since_{};
};

}  // namespace dwell
