#include "core/totals.h"

#include <algorithm>
#include <numeric>

#include "core/decoder.h"

namespace dwell {

std::uint64_t Totals::records() const {
  return std::accumulate(outcomes.begin(), outcomes.end(), std::uint64_t{0});
}

void Totals::count_ignored(std::string_view type) {
  ++(*this)[Outcome::ignored];
  const auto entry = [&](std::string_view wanted) {
    return std::find_if(ignored_types.begin(), ignored_types.end(),
                        [&](const IgnoredType& ignored) { return ignored.type == wanted; });
  };
  auto found = entry(type);
  if (found == ignored_types.end()) {
    const auto named =
        std::count_if(ignored_types.begin(), ignored_types.end(),
                      [](const IgnoredType& ignored) { return ignored.type != kOtherType; });
    const bool can_be_named = static_cast<std::size_t>(named) < kNamedTypes && !type.empty() &&
                              type.size() <= kLongestNamedType && is_plain_text(type);
    if (!can_be_named) {
      type = kOtherType;
      found = entry(type);
    }
  }
  if (found == ignored_types.end()) {
    found = ignored_types.insert(ignored_types.end(), {std::string(type), 0});
  }
  ++found->count;
}

Totals operator-(const Totals& after, const Totals& before) {
  Totals difference = after;
  for (std::size_t i = 0; i < kOutcomeCount; ++i) difference.outcomes[i] -= before.outcomes[i];
  difference.promoted -= before.promoted;
  difference.retracted -= before.retracted;
  // Types are only ever added at the end.
  for (std::size_t i = 0; i < before.ignored_types.size(); ++i) {
    difference.ignored_types[i].count -= before.ignored_types[i].count;
  }
  std::erase_if(difference.ignored_types, [](const auto& ignored) { return ignored.count == 0; });
  return difference;
}

}  // namespace dwell
