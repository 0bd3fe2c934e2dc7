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

namespace dwell {

// How far a partition of the cleaned topic is stored, and by what it is known again.
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

// Where the rows of timelines go. One thread at a time.
//
// Law: after commit() returned ok, positions() in any process gives those behind its slices. After
// any error but `unknown_outcome` nothing of it is stored. Of two stores that commit from one
// position, one wins and the other gets `lost_ownership`. After an error open another.
class RowStore {
 public:
  virtual ~RowStore() = default;

  // How far each partition is; `starts` where nothing of it was stored yet, which are kept then.
  virtual Result<std::vector<StorePosition>> positions(std::span<const StorePosition> starts) = 0;

  // Rows and positions, together. Partitions that positions() gave, each at most once.
  virtual Result<void> commit(std::span<const RowSlice> slices) = 0;
};

}  // namespace dwell
