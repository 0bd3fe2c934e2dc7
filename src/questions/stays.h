#pragma once

#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "core/row.h"

namespace dwell {

// The time inside from an enter to an exit. Without `enter`: a first row that is an exit; what was
// before it is unknown, and counts as no time inside. Without `exit`: it has not ended yet.
struct Stay {
  std::optional<Timestamp> enter;
  std::optional<Timestamp> exit;

  friend bool operator==(const Stay&, const Stay&) = default;
};

enum class Standing { unknown, inside, outside };

// The part of a stay within [start, end); one that has not ended lasts to `end`.
Milliseconds clipped(const Stay& stay, Timestamp start, Timestamp end);

// Folds the rows of one device, given in row order, into stays: equal neighbours merge into the
// first of them, and rows that are neither enter nor exit are passed over.
class StayFold {
 public:
  // Before any add(): rows older than all that come, newest first; may be called again with still
  // older ones. True once no older row can change anything.
  bool carry(std::span<const Row> newest_first);
  void add(const Row& row);

  Standing standing() const;
  // The first row of the last run of equal rows. Empty while `unknown`.
  const std::optional<Row>& head() const { return head_; }
  // The stays so far, the open one last. One that was over before the carried rows is none of them.
  std::vector<Stay> stays() const;
  // Those of them that have ended, and forgets them.
  std::vector<Stay> take_ended() { return std::exchange(ended_, {}); }

 private:
  std::vector<Stay> ended_;
  std::optional<Row> head_;
  bool is_carried_ = false;
};

}  // namespace dwell
