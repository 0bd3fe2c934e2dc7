#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/timestamp.h"

namespace dwell {

// Numbers a device within one fold: dense, from 0, in the order of first appearance.
using DeviceIndex = std::uint32_t;

inline constexpr std::size_t kLongestDeviceId = 256;  // bytes

enum class EventType : std::uint8_t { enter = 0, exit = 1 };

constexpr EventType opposite(EventType type) {
  return type == EventType::enter ? EventType::exit : EventType::enter;
}

// "device_enter" and "device_exit": the names on the wire and in every store.
constexpr std::string_view wire_name(EventType type) {
  return type == EventType::enter ? "device_enter" : "device_exit";
}

// One decoded enter or exit. `device` points into the record or the decoder that made it.
struct Event {
  std::string_view device;
  Timestamp timestamp;
  EventType type;
};

// What became of a record. Each record has exactly one, so the counts add up to the records read.
enum class Outcome : std::uint8_t {
  accepted,
  // Suppressed: usable, but it does not change the device's presence.
  repeated_enter,
  repeated_exit,
  duplicate,
  initial_exit,
  // Another event type, such as a heartbeat.
  ignored,
  // Rejected: the record is unusable and is kept with its raw bytes.
  malformed,
  invalid_device_id,
  invalid_timestamp,
  future_timestamp,
  past_timestamp,
  too_late,
  too_large,
  invalid_event_type,
};

inline constexpr std::array kOutcomeNames = {
    std::string_view("accepted"),          std::string_view("repeated_enter"),
    std::string_view("repeated_exit"),     std::string_view("duplicate"),
    std::string_view("initial_exit"),      std::string_view("ignored"),
    std::string_view("malformed"),         std::string_view("invalid_device_id"),
    std::string_view("invalid_timestamp"), std::string_view("future_timestamp"),
    std::string_view("past_timestamp"),    std::string_view("too_late"),
    std::string_view("too_large"),         std::string_view("invalid_event_type"),
};
inline constexpr std::size_t kOutcomeCount = kOutcomeNames.size();

constexpr std::string_view name(Outcome outcome) {
  return kOutcomeNames[static_cast<std::size_t>(outcome)];
}
constexpr bool is_suppressed(Outcome outcome) {
  return outcome >= Outcome::repeated_enter && outcome <= Outcome::initial_exit;
}
constexpr bool is_rejected(Outcome outcome) {
  return outcome >= Outcome::malformed;
}

enum class Operation : std::uint8_t { insert, retract };

// One change of a device's timeline: what the cleaned topic carries and what a store applies.
struct Change {
  Timestamp timestamp;
  std::uint64_t seq;   // the device's running count of changes, from 1, gapless
  std::uint64_t rank;  // orders rows of one millisecond: seq in arrival order, tie in event time
  EventType type;
  Operation operation;

  friend bool operator==(const Change&, const Change&) = default;
};

// Two times of a device that follow one another.
struct ClockJump {
  Timestamp from;
  Timestamp to;
};

// The rule's answer to one event: at most two changes (see docs/architecture.md, "The rule").
struct Decision {
  Outcome outcome;
  std::uint8_t change_count = 0;
  std::array<Change, 2> changes{};

  void add(const Change& change) { changes[change_count++] = change; }
};

}  // namespace dwell
