#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ports/intake.h"

namespace dwell {

inline constexpr std::size_t kMostPostedEvents = 100'000;

// One event of a request that cannot be stored, and why.
struct BadEvent {
  std::size_t index;  // in the request, from 0
  std::string member;
  std::string detail;
};

struct EventsBody {
  Submission submission;          // the good events, as records of the input format
  std::vector<std::size_t> good;  // their indices in the request
  std::vector<BadEvent> bad;
  std::size_t count = 0;  // of events in the request
};

// Reads `{"events":[{"deviceID","eventType","timestamp"}]}`, timestamps in RFC 3339; device_id and
// event_type are read too. Errors: invalid (not JSON, no list of events, too many).
Result<EventsBody> parse_events_body(std::string_view body);

}  // namespace dwell
