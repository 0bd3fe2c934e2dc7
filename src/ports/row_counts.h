#pragma once

#include <cstdint>

namespace dwell {

// What became of changes of rows, as if they were made one by one.
struct RowCounts {
  std::uint64_t inserts = 0;
  std::uint64_t retracts = 0;
  std::uint64_t absorbed = 0;  // inserts whose row was there already
  std::uint64_t faults = 0;    // retracts that found no row
  std::uint64_t expired = 0;   // retracts of rows that retention may have deleted

  RowCounts& operator+=(const RowCounts& more) {
    inserts += more.inserts;
    retracts += more.retracts;
    absorbed += more.absorbed;
    faults += more.faults;
    expired += more.expired;
    return *this;
  }
};

}  // namespace dwell
