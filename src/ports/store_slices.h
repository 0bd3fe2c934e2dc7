#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "core/cleaned_value.h"
#include "core/record.h"
#include "core/state_record.h"

namespace dwell {

// How far a partition of a topic is stored, and by what it is known again.
struct StorePosition {
  PartitionId partition = 0;
  std::string cluster;  // its id
  std::string topic;
  Offset next = 0;  // what no reader sees, such as the ends of transactions, counts too
  // The last record before `next`; empty before the first.
  struct Last {
    Offset offset;
    std::array<unsigned char, 16> hash;  // XXH3 128, canonical, of key and value

    friend bool operator==(const Last&, const Last&) = default;
  };
  std::optional<Last> last = {};

  friend bool operator==(const StorePosition&, const StorePosition&) = default;
};

// What is new of one partition: it may have no changes and still move the position.
struct RowSlice {
  std::span<const RowChange> changes;
  std::uint64_t rejected = 0;  // records that were no changes
  StorePosition position;      // behind them
};

// What became of a device's events.
struct DeviceOutcomes {
  std::string_view device;
  OutcomeSummary outcomes;
};

// What is new of one partition of the state topic. Of a device that is in it twice the last counts.
struct DeviceSlice {
  std::span<const DeviceOutcomes> devices;
  StorePosition position;  // behind them; without `last`
};

}  // namespace dwell
