#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include "core/event.h"
#include "core/rule.h"

namespace dwell {

// A device's time before anything was seen of it.
inline constexpr Timestamp kNever{Milliseconds{-1}};

// How often each kind of suppression met one device.
struct SuppressedCounts {
  std::uint64_t repeated_enter = 0;
  std::uint64_t repeated_exit = 0;
  std::uint64_t duplicate = 0;
  std::uint64_t initial_exit = 0;

  // `outcome` is a suppression.
  void count(Outcome outcome) {
    switch (outcome) {
      case Outcome::repeated_enter:
        ++repeated_enter;
        return;
      case Outcome::repeated_exit:
        ++repeated_exit;
        return;
      case Outcome::duplicate:
        ++duplicate;
        return;
      default:
        ++initial_exit;
        return;
    }
  }
  friend bool operator==(const SuppressedCounts&, const SuppressedCounts&) = default;
};

constexpr Outcome repeated(EventType type) {
  return type == EventType::enter ? Outcome::repeated_enter : Outcome::repeated_exit;
}

// The rule for `order = arrival`: events are judged in the order received.
//
// Holds what the next event of one device is compared with: the newest accepted events, newest
// first. `kCapacity` is the size class; the rule's duplicate_window (at most kCapacity) says how
// many of them the duplicate test looks at. A value type without allocation: a million devices
// are a few flat blocks.
//
// E1000 X2000 E1000 E3000 X4000 gives E1000 X2000 E3000 X4000: the second E1000 is a redelivery.
template <std::size_t kCapacity>
class ArrivalState {
 public:
  static constexpr std::size_t capacity = kCapacity;

  std::uint64_t seq = 0;  // changes so far: in this order also the number of accepted events
  Timestamp last_seen = kNever;
  SuppressedCounts suppressed;

  Decision decide(const Event& event, Timestamp /*now*/, const Rule& rule) {
    Decision decision{judge(event, rule)};
    if (decision.outcome == Outcome::accepted) {
      remember(event.timestamp, event.type);
      ++seq;
      decision.add({event.timestamp, seq, seq, event.type, Operation::insert});
    } else {
      suppressed.count(decision.outcome);
    }
    last_seen = std::max(last_seen, event.timestamp);
    return decision;
  }

  // The accepted events still held: 0 is the newest. Empty past the oldest.
  std::optional<Event> recent(std::size_t i) const {
    if (i >= kCapacity || recent_[i] == kNone) return std::nullopt;
    return Event{{},
                 from_ms(static_cast<std::int64_t>(recent_[i] >> 1)),
                 static_cast<EventType>(recent_[i] & 1)};
  }

  // Puts an accepted event before all held ones; the oldest falls out when full.
  void remember(Timestamp timestamp, EventType type) {
    std::copy_backward(recent_.begin(), recent_.end() - 1, recent_.end());
    recent_[0] = pack(timestamp, type);
  }

  friend bool operator==(const ArrivalState&, const ArrivalState&) = default;

 private:
  static constexpr std::uint64_t kNone = ~std::uint64_t{0};

  static std::uint64_t pack(Timestamp timestamp, EventType type) {
    return static_cast<std::uint64_t>(to_ms(timestamp)) << 1 | static_cast<std::uint64_t>(type);
  }

  static constexpr std::array<std::uint64_t, kCapacity> nothing() {
    std::array<std::uint64_t, kCapacity> none;
    none.fill(kNone);
    return none;
  }

  Outcome judge(const Event& event, const Rule& rule) const {
    if (rule.clock_source == ClockSource::event) {
      const auto end = recent_.begin() + rule.duplicate_window;
      if (std::find(recent_.begin(), end, pack(event.timestamp, event.type)) != end) {
        return Outcome::duplicate;
      }
    }
    if (recent_[0] == kNone) {
      const bool is_outside = rule.first_exit == FirstExit::suppress;
      if (event.type == EventType::enter || !is_outside) return Outcome::accepted;
      return last_seen == kNever ? Outcome::initial_exit : Outcome::repeated_exit;
    }
    const auto last = static_cast<EventType>(recent_[0] & 1);
    return event.type == last ? repeated(event.type) : Outcome::accepted;
  }

  std::array<std::uint64_t, kCapacity> recent_ = nothing();
};

}  // namespace dwell
