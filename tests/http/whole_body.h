#pragma once

#include "http/api/events_body.h"

namespace dwell {

// A body that is there as a whole.
inline Result<EventsBody> parse_events_body(std::string_view body) {
  EventsReader reader;
  reader.add(body);
  return reader.finish();
}

}  // namespace dwell
