#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "core/record.h"
#include "core/rule.h"
#include "core/state_record.h"
#include "core/timeline.h"
#include "core/totals.h"

namespace dwell {

enum class RowOrder { ascending, descending };

// A page of a device's rows with start <= timestamp <= end.
struct TimelineQuery {
  std::string device;
  Timestamp start = kEarliest;
  Timestamp end = kLatest;
  RowOrder order = RowOrder::ascending;
  std::optional<Row> after = {};  // the last row of the page before
  std::size_t limit = 1000;       // rows, 1 to kLargestPage
};

// A page of the devices inside at a moment, in byte order of their ids.
struct PresenceQuery {
  Timestamp at = kLatest;
  std::optional<std::string> after = {};  // the last device of the page before
  std::size_t limit = 1000;               // devices, 1 to kLargestPage
};

struct Presence {
  std::string device;
  Timestamp since;  // the head of the run of enters

  friend bool operator==(const Presence&, const Presence&) = default;
};

// A page ends at its limit, or early when too many devices outside had to be passed over.
struct PresencePage {
  std::vector<Presence> inside;
  std::optional<std::string> next;  // what to ask for `after`; empty: this was the last page
};

// What is known of one device. Presence is folded from its rows, as everywhere.
struct DeviceReport {
  std::optional<Row> last_run;             // the head of its last run of rows; empty without rows
  Timestamp first_seen;                    // the first row, or last_seen without rows
  std::optional<OutcomeSummary> outcomes;  // last_seen included; empty: not known (yet)
};

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
  std::uint64_t rejects_kept = 0;     // rejected records still held
  std::uint64_t rejects_dropped = 0;  // removed by their age or size bound
};

inline constexpr std::size_t kLargestPage = 100'000;

// Answers questions from the stored rows alone; the cleaner's state never answers a user. Each
// answer is one consistent view of the store. Errors: invalid, retry_later, fatal. One thread at a
// time.
class TimelineReader {
 public:
  virtual ~TimelineReader() = default;

  // In the order asked for; empty for an unknown device and for end < start.
  virtual Result<std::vector<Row>> timeline(const TimelineQuery& query) = 0;
  virtual Result<PresencePage> presence(const PresenceQuery& query) = 0;
  // Empty for a device never seen.
  virtual Result<std::optional<DeviceReport>> device(const std::string& id) = 0;
  // In order of id.
  virtual Result<std::vector<RejectedRecord>> rejected(const RejectedQuery& query) = 0;
  virtual Result<StoreTotals> totals() = 0;
};

}  // namespace dwell
