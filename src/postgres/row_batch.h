#pragma once

#include <span>
#include <string>
#include <vector>

#include "ports/store_slices.h"

namespace dwell {

// Slices as PostgreSQL takes them, with memory of its own, so that one batch is stored while the
// next is read. Fills again with little memory asked for.
class RowBatch {
 public:
  // What is new of one partition.
  struct Part {
    StorePosition position;
    std::int64_t inserts = 0;
    std::int64_t retracts = 0;
    std::int64_t rejected = 0;
    // Where in copy() its rows are that no retract is about.
    std::size_t begin = 0;
    std::size_t end = 0;
    std::int64_t rows = 0;  // that many
  };
  // A change of a row that this batch has a retract of.
  struct RetractedRow {
    RowChange change;
    std::size_t part;
  };

  // By device within each slice: neighbours in the index are written together.
  void fill(std::span<const RowSlice> slices);

  const std::vector<Part>& parts() const { return parts_; }
  // Rows in the binary format of COPY, without head and tail: device_id, event_type, timestamp,
  // rank, seq.
  std::string_view copy() const { return copy_; }
  // Those of the rows that are inserted.
  std::span<const Timestamp> times() const { return times_; }
  // In the order of the changes.
  const std::vector<RetractedRow>& retracted_rows() const { return retracted_rows_; }

 private:
  void divide(std::span<const RowSlice> slices);
  void add_rows(std::span<const RowChange> changes);
  void sort(std::span<const RowChange> changes);

  struct Place {
    std::uint64_t key;  // sorts nearly as the device ids do
    std::uint32_t index;
  };

  std::vector<Part> parts_;
  std::string copy_;
  std::vector<Timestamp> times_;
  std::vector<RetractedRow> retracted_rows_;
  std::vector<std::string> contested_devices_;  // what retracted_rows_ points to
  std::vector<Place> order_;
};

// Appends one row in the binary format of COPY.
void put_copy_row(std::string& out, const RowChange& change);

// What tells a stored row from all others.
struct RowIdentity {
  std::string_view device;
  std::int64_t timestamp;
  EventType type;

  explicit RowIdentity(const RowChange& change)
      : device(change.device), timestamp(to_ms(change.timestamp)), type(change.type) {}
  RowIdentity(std::string_view device, std::int64_t timestamp, EventType type)
      : device(device), timestamp(timestamp), type(type) {}

  friend bool operator==(const RowIdentity&, const RowIdentity&) = default;
};

struct RowIdentityHash {
  std::size_t operator()(const RowIdentity& identity) const {
    const auto time =
        2 * static_cast<std::size_t>(identity.timestamp) + static_cast<std::size_t>(identity.type);
    return std::hash<std::string_view>()(identity.device) ^ time * 0x9e3779b97f4a7c15;
  }
};

}  // namespace dwell
