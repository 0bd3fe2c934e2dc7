#pragma once

#include <boost/asio/awaitable.hpp>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "core/record.h"
#include "core/row.h"
#include "core/state_record.h"

namespace dwell {

enum class RowOrder { ascending, descending };

// Devices by the bytes of their ids, both ends included; no `last`: to the end.
struct DeviceRange {
  std::string first;
  std::optional<std::string> last;

  static DeviceRange all() { return {}; }
  static DeviceRange only(const std::string& id) { return {id, id}; }
  bool is_one() const { return last == first; }
};

// Behind `row` of the device; without a row, behind all that the device has.
struct ScanPlace {
  std::string device;
  std::optional<Row> row = {};
};

// Rows of many devices, device after device. Rows of types that are neither enter nor exit are
// among them, carried ones too.
struct Scan {
  DeviceRange devices;
  Timestamp start = kEarliest;  // rows with start <= timestamp <= end; none when end < start
  Timestamp end = kLatest;
  RowOrder order =
      RowOrder::ascending;              // within a device; descending: of one device, without carry
  std::size_t carry = 0;                // 0 to 2: the newest rows before `start`, of each device
  std::optional<ScanPlace> after = {};  // where the page before ended
  std::size_t limit = 1'000;            // rows, carried ones included; carry + 1 to kLargestPage
};

// A page of a scan. It may hold fewer rows than the limit, or none, and not be the last.
struct ScanPage {
  struct Device {
    std::string id;
    std::size_t carried;  // so many of its rows are carried: newest first, before all others
    std::size_t end;      // its rows end here, and those of the next one begin
  };
  std::vector<Device> devices;    // those of which there are rows, in order
  std::vector<Row> rows;          // of all of them
  std::optional<ScanPlace> next;  // what to ask for `after`; empty: this was the last page
  std::size_t looked_at = 0;      // devices, those without rows included

  void clear();
  // Calls f(id, carried, rows) for each device.
  template <typename F>
  void each(F f) const;
};

// How far the changes of rows are stored, by the partition they came in: the next offset. A store
// without a topic has one partition, and its offset counts the changes of rows.
using StoredUpTo = std::map<PartitionId, Offset>;

// One moment of the store: whatever is asked of it, no commit comes between. It holds resources
// that others wait for, so nobody keeps one while a client is waited for. Errors: those of
// RowReader.
class RowView {
 public:
  virtual ~RowView() = default;

  virtual boost::asio::awaitable<Result<void>> scan(const Scan& scan, ScanPage& page) = 0;
  // What became of a device's events; empty where that is not known (yet).
  virtual boost::asio::awaitable<Result<std::optional<OutcomeSummary>>> outcomes(
      const std::string& device) = 0;
  virtual boost::asio::awaitable<Result<StoredUpTo>> stored_up_to() = 0;
};

// Gives the stored rows; what they mean is folded from them (src/questions), and the cleaner's
// state never answers a user. For one thread and many coroutines: an answer that has to be waited
// for lets the others go on. What is passed outlives the answer.
//
// Law: the pages of a scan, whatever their limits, put together are the whole scan; each page is of
// one moment; rows of a device are in row order, up or down. Errors: retry_later (also when too
// many wait, or the answer took too long), fatal.
class RowReader {
 public:
  virtual ~RowReader() = default;

  // A page of a moment of its own.
  virtual boost::asio::awaitable<Result<void>> scan(const Scan& scan, ScanPage& page) = 0;
  // A moment for answers that need several scans, all of devices in `devices`.
  virtual boost::asio::awaitable<Result<std::unique_ptr<RowView>>> view(
      const DeviceRange& devices) = 0;
};

inline void ScanPage::clear() {
  devices.clear();
  rows.clear();
  next.reset();
  looked_at = 0;
}

template <typename F>
void ScanPage::each(F f) const {
  std::span<const Row> rest = rows;
  std::size_t begin = 0;
  for (const Device& device : devices) {
    const auto all = rest.subspan(begin, device.end - begin);
    f(device.id, all.first(device.carried), all.subspan(device.carried));
    begin = device.end;
  }
}

}  // namespace dwell
