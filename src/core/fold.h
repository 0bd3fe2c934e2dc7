#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "core/event.h"
#include "core/event_time.h"
#include "core/record.h"
#include "core/rule.h"
#include "core/totals.h"

namespace dwell {

// future_timestamp, past_timestamp or accepted: the only checks that compare an event with its
// record alone.
Outcome check_clock(const Event& event, Timestamp now, const Rule& rule);

// A change of one device's timeline, with the record that caused it.
struct CleanedRecord {
  DeviceIndex device;
  std::uint32_t record;  // index into Unit::records
  Change change;
};

// A record that is too_late, in event time.
struct LateEvent {
  std::uint32_t record;  // index into Unit::records
  DeviceIndex device;
  Timestamp timestamp;
  EventType type;
  Milliseconds behind;     // how far behind the device's newest event that is not ahead of now
  bool is_within_horizon;  // then it is the size of the window that was too small
  std::optional<ClockJump> jump;  // by which the device left it behind
};

// A record whose key is not the id of its device.
struct MiskeyedRecord {
  std::uint32_t record;  // index into Unit::records
  DeviceIndex device;
};

// What commits together or not at all: everything a batch of records changed.
struct Unit {
  std::span<const Record> records;
  std::span<const Position> positions;   // of every source in the batch: where it goes on
  std::vector<Outcome> outcomes;         // one for each record
  std::vector<CleanedRecord> changes;    // in the order decided
  std::vector<std::uint32_t> rejected;   // indices of the records to keep with their raw bytes
  std::vector<LateEvent> too_late;       // in the order of the records
  std::uint64_t late = 0;                // arrival: accepted events older than their device's last
  std::vector<MiskeyedRecord> miskeyed;  // usable ones, in the order of the records
  std::span<const DeviceIndex> touched;  // devices whose state differs now, each once
  DeviceIndex first_new = 0;             // this device and all after it were not known before
  Totals totals;                         // after this unit
};

// The state of all devices, and the pure function that moves it: records in, unit out. The same
// records under the same rule always give the same units, whatever the batches they come in.
//
// No I/O, no clock, no threads: time is the records' `now`. Not thread-safe. A Fold starts empty;
// load_*() fill it from what a committer kept. Batches are handled in blocks so that decoding,
// looking up and deciding each run over warm caches.
class Fold {
 public:
  // `hash_seed` is any number, better an unpredictable one; it changes no result.
  Fold(const Rule& rule, std::uint64_t hash_seed);
  ~Fold();
  Fold(Fold&&) noexcept;
  Fold& operator=(Fold&&) noexcept;

  // Folds the records in order. The unit and what it points to stay valid until the next call, and
  // `records` must live as long.
  const Unit& fold(std::span<const Record> records, std::span<const Position> positions);

  // Adds a device that is not there yet and returns its number, the old device_count(). `record` is
  // what encode_state() gave. Fails with `fatal` when the id or the record is damaged.
  Result<DeviceIndex> load_device(std::string_view id, std::string_view record);
  // The same, or puts the record in the place of the state of a device that is there.
  Result<DeviceIndex> put_device(std::string_view id, std::string_view record);
  // Puts older events in front of the window of a device: load_older() of state_record.h.
  Result<std::size_t> load_older(DeviceIndex index, std::string_view events);
  // Ask the memory for what put_device() and device_id() will read a little later.
  void prefetch_device(std::string_view id) const;
  void prefetch_device_id(DeviceIndex index) const;
  void load_totals(const Totals& totals);
  // An empty one under another rule.
  Fold empty_copy(const Rule& rule) const;

  const Rule& rule() const;
  const Totals& totals() const;
  std::size_t device_count() const;
  std::string_view device_id(DeviceIndex index) const;           // valid as long as the fold
  void encode_state(DeviceIndex index, std::string& out) const;  // appends the state record
  // The parts of a window of event time, as in state_record.h; in arrival order it has no events.
  std::size_t window_size(DeviceIndex index) const;
  bool is_second(DeviceIndex index, std::size_t i) const;  // of its millisecond
  WindowChange window_change(DeviceIndex index) const;  // by the last unit; of a device it touched
  void encode_state(DeviceIndex index, std::size_t newest, std::string& out) const;
  std::size_t encode_events(DeviceIndex index, std::size_t first, std::size_t count,
                            std::string& out) const;

  // Bytes held for device states, ids and their index, allocated but unused ones included. The
  // windows of `order = event_time` come on top.
  std::size_t state_bytes() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dwell
