#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "core/record.h"
#include "core/row.h"
#include "core/rule.h"
#include "core/totals.h"

namespace dwell {

struct RejectedQuery {
  std::optional<std::string> reason = {};
  std::optional<std::int64_t> id = {};
  std::int64_t after = 0;    // the last id of the page before
  std::size_t limit = 1000;  // records, 1 to kLargestPage
};

struct RejectedRecord {
  std::int64_t id;  // grows with time, never used twice
  std::string reason;
  std::string source;
  Offset offset;
  Timestamp received;
  std::string bytes;
  std::uint64_t truncated_from;  // nonzero: the record was this long and `bytes` is its beginning
};

// What is committed besides rows: the totals, and what the store did with the changes.
// inserts - retracts = rows + absorbed - faults, where retracts that found no row are faults.
struct StoreTotals {
  Order order;
  Totals totals;
  std::uint64_t devices = 0;
  std::uint64_t rows = 0;
  std::uint64_t absorbed = 0;         // inserts whose row was there already
  std::uint64_t faults = 0;           // retracts that found no row
  std::uint64_t known_late = 0;       // of too_late: events that the rows show
  std::uint64_t late = 0;             // arrival: accepted events older than their device's last
  std::uint64_t rejects_kept = 0;     // rejected records still held
  std::uint64_t rejects_dropped = 0;  // removed by their age or size bound
};

// What a store without topics has besides rows: rejected records and
// totals. Each answer is of one moment. Errors: retry_later, fatal. One thread at a time.
class StoreReport {
 public:
  virtual ~StoreReport() = default;

  // In order of id.
  virtual Result<std::vector<RejectedRecord>> rejected(const RejectedQuery& query) = 0;
  virtual Result<StoreTotals> totals() = 0;
};

}  // namespace dwell
