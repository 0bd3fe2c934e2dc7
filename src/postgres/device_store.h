#pragma once

#include <map>
#include <memory>
#include <vector>

#include "ports/store_slices.h"
#include "postgres/connection.h"

namespace dwell {

// Keeps the outcomes of each device in the table dwell_device, with how far the state topic is
// read. The last word on a device stands: reading states once more changes nothing. A device that
// the database refuses is left out, with what it said. One thread at a time.
class DeviceStore {
 public:
  // Errors: those of PgConnection; invalid (the layout is not that of this release).
  static Result<std::unique_ptr<DeviceStore>> open(std::unique_ptr<PgConnection> database);

  // As of PostgresStore.
  Result<std::vector<StorePosition>> positions(std::span<const StorePosition> starts);
  // Outcomes and positions, together. Partitions that positions() gave, each at most once. Errors:
  // as of PostgresStore.
  Result<void> commit(std::span<const DeviceSlice> slices);

  // What the database said of each device that the last commit left out.
  const std::vector<std::string>& refused() const { return refused_; }

 private:
  explicit DeviceStore(std::unique_ptr<PgConnection> database) : database_(std::move(database)) {}

  Result<void> write(std::span<const DeviceSlice> slices);
  Result<void> move(const StorePosition& position);
  Result<void> put(std::span<const DeviceOutcomes> devices);
  Result<void> put_accepted(std::span<const DeviceOutcomes> devices);

  std::unique_ptr<PgConnection> database_;
  std::map<PartitionId, Offset> next_;  // as of the last commit
  std::vector<std::string> refused_;
  bool is_careful_ = false;  // savepoints tell which devices are refused
};

}  // namespace dwell
