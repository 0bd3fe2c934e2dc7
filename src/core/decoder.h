#pragma once

#include <deque>
#include <simdjson.h>
#include <string>
#include <string_view>
#include <vector>

#include "core/event.h"
#include "core/record.h"
#include "core/rule.h"

namespace dwell {

// What one record says, before the rule is asked.
struct Decoded {
  // `accepted`: `event` is usable and the rule decides; else what became of the record.
  Outcome outcome;
  Event event;
  std::string_view ignored_type;  // with Outcome::ignored: the event type, unescaped
};

// Reads one event: a JSON object with `device_id`, `event_type` and `timestamp` (RFC 8259). Other
// members are ignored, order is free, the last of duplicate members wins. The whole record must be
// valid JSON, nested at most kDeepestNesting. Any bytes are safe input.
//
// The views in a Decoded point into the record, or into this decoder until the next reset(). Keeps
// one scratch buffer as large as the largest record seen. Not thread-safe.
class Decoder {
 public:
  static constexpr int kDeepestNesting = 64;

  // With ClockSource::received the event's own timestamp is neither needed nor looked at; the
  // event's time is the record's receive time, still to be made unique for its device.
  explicit Decoder(ClockSource clock_source) : clock_source_(clock_source) {}

  Decoded decode(const Record& record);

  // Forgets the strings kept for earlier records.
  void reset() { kept_.clear(); }

 private:
  struct Members;

  Outcome read(const Record& record, Decoded& decoded);
  bool read_plain_members(std::string_view bytes, Members& members);
  bool read_any_members(std::string_view bytes, Members& members);
  bool is_valid(simdjson::ondemand::value value, int depth);
  bool is_valid_scalar(std::string_view raw);
  bool find_escaped(simdjson::ondemand::field field, Members& members, std::string_view*& found);
  bool text_of(std::string_view token, std::string_view& text);
  bool device_id_of(std::string_view token, std::string_view& id);
  bool timestamp_of(std::string_view token, Timestamp& timestamp);

  ClockSource clock_source_;
  simdjson::ondemand::parser parser_;
  std::vector<char> scratch_;
  std::deque<std::string> kept_;  // unescaped strings of this batch
};

// True for valid UTF-8 without the control characters U+0000-001F and U+007F-009F.
bool is_plain_text(std::string_view text);

// True for plain text of 1 to kLongestDeviceId bytes.
bool is_valid_device_id(std::string_view id);

}  // namespace dwell
