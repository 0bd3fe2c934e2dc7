#pragma once

#include "http/api/events_body.h"

namespace dwell {

inline constexpr Timestamp kPostedAt = from_ms(1'751'932'800'000);

// Reads times as the default settings do.
inline Rule posting_rule() {
  Rule rule;
  rule.time = kUsualTimes;
  return rule;
}

inline PostedEvents& posted_by_default() {
  static PostedEvents events(posting_rule(), 1 << 20);
  return events;
}

inline EventsReader reader_of_events(BodyForm form = BodyForm::json) {
  return EventsReader(posted_by_default(), form, kPostedAt);
}

// A body that is there as a whole.
inline Result<EventsBody> parse_events_body(std::string_view body, BodyForm form = BodyForm::json) {
  auto reader = reader_of_events(form);
  reader.add(body);
  return reader.finish();
}

}  // namespace dwell
