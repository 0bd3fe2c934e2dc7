#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/event.h"

namespace dwell {

// Counts that are committed like state, so they add up to the records read across crashes too.
struct Totals {
  struct IgnoredType {
    std::string type;
    std::uint64_t count = 0;
    friend bool operator==(const IgnoredType&, const IgnoredType&) = default;
  };

  // At most this many ignored types are named, the first ones met; the rest count as kOtherType, as
  // do types that are empty, longer than kLongestNamedType bytes or not plain text.
  static constexpr std::size_t kNamedTypes = 32;
  static constexpr std::size_t kLongestNamedType = 64;
  static constexpr std::string_view kOtherType = "other";

  std::array<std::uint64_t, kOutcomeCount> outcomes{};
  std::uint64_t promoted = 0;   // suppressed on arrival, inserted by a later correction
  std::uint64_t retracted = 0;  // rows taken back by a later correction
  std::vector<IgnoredType> ignored_types;

  std::uint64_t& operator[](Outcome outcome) { return outcomes[static_cast<std::size_t>(outcome)]; }
  std::uint64_t operator[](Outcome outcome) const {
    return outcomes[static_cast<std::size_t>(outcome)];
  }

  std::uint64_t records() const;
  std::uint64_t inserts() const { return (*this)[Outcome::accepted] + promoted; }

  void count_ignored(std::string_view type);

  friend bool operator==(const Totals&, const Totals&) = default;
};

// What was counted after `before`, an earlier value of the same totals.
Totals operator-(const Totals& after, const Totals& before);

}  // namespace dwell
