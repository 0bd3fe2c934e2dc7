#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "core/record.h"

namespace dwell {

// What decides when a record goes.
struct HopRecord {
  Timestamp own;          // of its event, its receipt and now, the earliest
  bool is_fresh = false;  // received less than kFresh before it was read
  std::size_t bytes = 0;  // that it takes while it waits
};

// Puts the records of several partitions into the order of their own times; those of one partition
// stay in the order in which they came.
//
// The earliest of the first records of each partition goes next. It waits for a partition that has
// none here and may still send an earlier one: one that is not read to its end, for at most
// kPatience. A fresh record that is the first of its partition waits for no other one, since live
// events must not pay for a backlog elsewhere.
//
// So a partition that sends nothing stops the others once, and not for long; a full one stops none,
// since the earliest of those that are here always goes in the end.
//
// Knows times alone and keeps no record. Not thread-safe.
class HopOrder {
 public:
  using Moment = std::chrono::nanoseconds;  // of Clock::monotonic(); never goes back

  static constexpr std::chrono::minutes kFresh{1};
  static constexpr std::chrono::seconds kPatience{10};

  // `bytes` may wait in all partitions together.
  explicit HopOrder(std::size_t bytes) : bytes_(bytes) {}

  // A partition comes, or begins anew without a record: its first one is waited for.
  void open(PartitionId partition, Moment now);
  void close(PartitionId partition);

  // What was read: behind the records that wait in the partition.
  void add(PartitionId partition, const HopRecord& record, Moment now);
  // Whether a partition is read to its end.
  void set_at_end(PartitionId partition, bool is_at_end);

  // Hands out one record after the other, until next() is empty: what is left waits. Nothing comes
  // or goes in between.
  void begin(Moment now);
  // The partition whose first record goes.
  std::optional<PartitionId> next();

  // Whether a partition has its share of the bytes waiting and is not to be read on. Once it is,
  // it stays so until half of the share is gone.
  bool is_full(PartitionId partition);

 private:
  struct Lane {
    std::deque<HopRecord> records;
    std::size_t bytes = 0;  // of the records
    bool is_full = false;
    bool is_at_end = false;
    Moment moved{};  // when it came, sent a record, or had none left
  };
  struct Head {  // of a lane
    Timestamp own;
    PartitionId partition;
    friend auto operator<=>(const Head&, const Head&) = default;
  };

  void add_head(PartitionId partition, const Lane& lane);
  void keep_fresh_heads();

  std::size_t bytes_;
  std::map<PartitionId, Lane> lanes_;
  Moment now_{};
  bool is_waiting_ = false;  // for a partition that has none
  bool only_fresh_ = false;  // are among the heads
  std::vector<Head> heads_;  // of lanes with records that may go; a heap, the earliest in front
};

}  // namespace dwell
