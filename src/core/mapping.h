#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace dwell {

// What becomes of an id, so that several spellings of it are one device.
enum class IdSpelling : std::uint8_t {
  keep,
  lower,  // A to Z become a to z
  mac,    // a MAC address, also as a part of the id, becomes 02:00:5e:10:00:aa
};

// Where an event stands in a record, and what its types are called.
//
// A place is a JSON pointer (RFC 6901), as in /data/deviceId; of several the first that is in the
// record is taken. The id of a device can be put together: "{/person}@{/room}".
//
// The three members come from the record itself, or, when only that has an event type, from the
// object `payload` beside a `schema` (the envelope of Kafka Connect's JsonConverter).
struct Mapping {
  std::vector<std::string> device_id = {"/device_id", "/deviceID", "/deviceId"};
  std::vector<std::string> event_type = {"/event_type", "/eventType"};
  std::vector<std::string> timestamp = {"/timestamp"};
  std::vector<std::string> enter = {"device_enter"};  // kAnyOtherType: every type not in `exit`
  std::vector<std::string> exit = {"device_exit"};    // the same; not both
  IdSpelling id_spelling = IdSpelling::keep;

  friend bool operator==(const Mapping&, const Mapping&) = default;
};

inline constexpr std::string_view kAnyOtherType = "*";
inline constexpr std::size_t kMostAlternatives = 8;  // of one member
inline constexpr std::size_t kLongestPlace = 256;    // bytes
inline constexpr std::size_t kMostTypes = 32;        // names of enter, and of exit

// One part of a place: a pointer, or a text that stands as it is.
struct PlacePart {
  std::vector<std::string> names;  // of the members on the way, unescaped; empty: a text
  std::string text;
};

// The parts of a place; empty when `place` is not one. Only with `is_id` it may be put together.
std::vector<PlacePart> parts_of_place(std::string_view place, bool is_id);

}  // namespace dwell
