#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/arrival.h"
#include "core/event.h"
#include "core/rule.h"

namespace dwell {

// The events a device's corrections can still reach: distinct (timestamp, type) pairs sorted by
// timestamp, equal timestamps in order of first arrival. One millisecond holds at most two, told
// apart by `tie`, which is fixed at the first arrival.
//
// An entry is one integer, timestamp << 2 | tie << 1 | type, so integer order is window order.
class EventWindow {
 public:
  struct Entry {
    std::uint64_t packed;

    Timestamp timestamp() const { return from_ms(static_cast<std::int64_t>(packed >> 2)); }
    std::uint8_t tie() const { return packed >> 1 & 1; }
    EventType type() const { return static_cast<EventType>(packed & 1); }
    friend bool operator==(Entry, Entry) = default;
  };

  std::size_t size() const { return entries_.size() - begin_; }
  bool empty() const { return size() == 0; }
  const Entry& operator[](std::size_t i) const { return entries_[begin_ + i]; }
  const Entry& front() const { return entries_[begin_]; }
  const Entry& back() const { return entries_.back(); }

  // Whether the entry at `i` is the second one of its millisecond.
  bool is_second(std::size_t i) const {
    return i > 0 && i < size() && (*this)[i].timestamp() == (*this)[i - 1].timestamp();
  }

  // The number of entries at or before `timestamp`: where an event of that time goes.
  std::size_t position_after(Timestamp timestamp) const;

  void insert(std::size_t position, Timestamp timestamp, std::uint8_t tie, EventType type);
  void remove_front();
  void prepend(std::span<const Entry> older);

  friend bool operator==(const EventWindow& a, const EventWindow& b);

 private:
  std::vector<Entry> entries_;
  std::size_t begin_ = 0;  // entries before it are evicted; the space is reclaimed in one go
};

// What happened to a window since some moment.
struct WindowChange {
  std::uint32_t changed = 0;  // at most so many of its newest events were not where they are now
  std::uint32_t evicted = 0;  // of its oldest events; where not all changed: that were there before
};

// The rule for `order = event_time`: the timeline is what arrival order would give had every event
// arrived sorted by timestamp; a late event is corrected in place, at once.
//
// Rows are the heads of runs of equal type in the window, with `base` standing before the first.
// An arrival changes nothing, or itself and at most its successor. With the window E1000 E3000
// (rows: E1000), X2000 arrives: insert X2000, and E3000, now the head of a run, is inserted too.
struct EventTimeState {
  // Under rule 2 the horizon counts from no older event than this one of the window, from the
  // newest.
  static constexpr std::size_t kOldestReference = 16;

  std::uint64_t seq = 0;
  Timestamp last_seen = kNever;
  SuppressedCounts suppressed;
  std::uint64_t accepted = 0;
  std::uint64_t promoted = 0;   // suppressed on arrival, inserted by a later correction
  std::uint64_t retracted = 0;  // rows that a later correction took back

  // Stands before the window: the type of the last evicted event. Until one is evicted it is empty,
  // or exit for a device first seen under first_exit = suppress.
  std::optional<EventType> base;
  Timestamp largest_evicted = kNever;
  // Where the horizon counts back from; never later than any `now` at which it moved. Under rule 1
  // the largest min(timestamp, now) of the events in the history; under rule 2 see support().
  Timestamp newest = kNever;
  std::uint32_t newest_under = 0;  // the version of the rule that `newest` is of; 0: none yet
  EventWindow window;
  // Of the window, in the unit of that number; not a part of the record.
  WindowChange change_in_unit;
  std::uint32_t unit = 0;

  Decision decide(const Event& event, Timestamp now, const Rule& rule);

  // Starts counting change_in_unit anew unless that was done for `number`.
  void begin_unit(std::uint32_t number) {
    if (unit != number) change_in_unit = {};
    unit = number;
  }

  // From where to where the times of the device went ahead by more than a horizon, when that is why
  // what left the window did; empty when the window followed in smaller steps.
  std::optional<ClockJump> jump(const Rule& rule) const;

  friend bool operator==(const EventTimeState& a, const EventTimeState& b);

 private:
  bool is_too_late(Timestamp timestamp, const Rule& rule) const;
  std::optional<EventType> type_before(std::size_t position) const;
  Change change(const EventWindow::Entry& entry, Operation operation);
  void support(std::size_t position, Timestamp now, const Rule& rule);
  void adopt(const Rule& rule);
  void evict(const Rule& rule);
};

}  // namespace dwell
