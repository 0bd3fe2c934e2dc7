#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "core/fold.h"
#include "sqlite/database.h"

namespace dwell {

// The older events of large windows, which stand in rows of their own, so that an event at the
// newest end rewrites no more than kLongestTail others: see docs/formats.md, table `window`.
//
// Knows the rows of every device. What write() changed has to be told to have been committed, or
// rolled back. Not thread-safe.
class WindowPieces {
 public:
  static constexpr std::size_t kPiece = 16;                // events in a row
  static constexpr std::size_t kLongestTail = 2 * kPiece;  // that stand in the state itself

  Result<void> prepare(Database& database);

  // Puts the older events of every device in front of those that `fold` has from their states.
  Result<void> load(Database& database, Fold& fold);

  // Makes the rows of a device that the last unit touched fit its window. Returns how many of its
  // newest events its state has to hold.
  Result<std::size_t> write(DeviceIndex device, const Fold& after);

  void committed() { undo_.clear(); }
  void rolled_back();

 private:
  struct Piece {
    std::int64_t id;
    std::uint32_t events;
  };
  struct Pieces {
    std::vector<Piece> all;     // oldest first
    std::uint32_t evicted = 0;  // of the events of the first
    std::size_t events = 0;     // of all, without those
  };
  // How the pieces of a device were.
  struct Undo {
    DeviceIndex device;
    std::uint32_t evicted;
    std::size_t events;
    std::optional<std::vector<Piece>> all;  // empty: they are the same now
  };

  Result<void> load_device(DeviceIndex device, std::string_view events, Fold& fold);
  Result<void> remove(const Pieces& pieces, const Piece& piece);
  Result<void> evict(Pieces& pieces, std::size_t events);
  Result<void> cut(DeviceIndex device, const Fold& after, Pieces& pieces, std::size_t untouched);
  Result<void> seal(DeviceIndex device, const Fold& after, Pieces& pieces);

  std::unordered_map<DeviceIndex, Pieces> devices_;  // those that have any
  std::int64_t last_id_ = 0;
  std::vector<Undo> undo_;
  Statement insert_, delete_;
  std::string events_;  // scratch
};

}  // namespace dwell
