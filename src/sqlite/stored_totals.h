#pragma once

#include <cstdint>

#include "base/result.h"
#include "core/totals.h"
#include "sqlite/database.h"

namespace dwell {

// What the store itself counts, beside the totals of the fold.
struct StoreCounts {
  std::uint64_t rows = 0;
  std::uint64_t absorbed = 0;         // inserts whose row was there already
  std::uint64_t faults = 0;           // retracts that found no row
  std::uint64_t known_late = 0;       // of too_late: events that the rows show
  std::uint64_t late = 0;             // arrival: accepted events older than their device's last
  std::uint64_t rejects_dropped = 0;  // removed by a bound of the reject table
  std::uint64_t reject_bytes = 0;     // what the kept ones count toward the size bound
};

// Calls f(name, count) for every count the `total` table holds, in one fixed order.
template <typename FoldTotals, typename Counts, typename F>
void each_total(FoldTotals& totals, Counts& counts, F f) {
  for (std::size_t i = 0; i < kOutcomeCount; ++i) f(kOutcomeNames[i], totals.outcomes[i]);
  f(std::string_view("promoted"), totals.promoted);
  f(std::string_view("retracted"), totals.retracted);
  f(std::string_view("rows"), counts.rows);
  f(std::string_view("absorbed"), counts.absorbed);
  f(std::string_view("faults"), counts.faults);
  f(std::string_view("known_late"), counts.known_late);
  f(std::string_view("late"), counts.late);
  f(std::string_view("rejects_dropped"), counts.rejects_dropped);
  f(std::string_view("reject_bytes"), counts.reject_bytes);
}

// Reads the `total` and `ignored_type` tables; what is not stored yet stays 0.
Result<void> load_totals(Database& database, Totals& totals, StoreCounts& counts);

}  // namespace dwell
