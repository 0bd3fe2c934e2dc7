#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/decoder.h"
#include "ports/intake.h"

namespace dwell {

// Makes records of posted events. Example: with input.device_id = /clientId and
// input.enter = connected
//   {"deviceID":"a","eventType":"device_exit","timestamp":"2025-07-08T12:00:00Z"}
//   {"clientId":"a","eventType":"connected","timestamp":1751976000}
// become
//   {"device_id":"a","event_type":"device_exit","timestamp":1751976000000}
//   {"device_id":"a","event_type":"device_enter","timestamp":1751976000000}
//
// An event with the members deviceID, eventType and timestamp is in the documented form, which
// means the same whatever the rule says. Two kinds of event are read by the rule's mapping: all
// others, and those of a type that is neither enter nor exit, if the mapping has a name for it.
//
// Not thread-safe. Keeps one buffer as large as the largest event seen.
class PostedEvents {
 public:
  // An event that is longer as a record than `longest` bytes is a bad one.
  PostedEvents(const Rule& rule, std::size_t longest);

  // Why an event is none.
  struct Fault {
    std::string_view member;  // deviceID, eventType, timestamp; empty: the event as a whole
    std::string detail;
    bool is_json = true;  // as far as can be told
  };

  // Appends the record of an event that came in at `now`, and its device: empty where an ignored
  // event names none.
  std::optional<Fault> add(std::string_view event, Timestamp now, Submission& out);

  std::size_t longest() const { return longest_; }

 private:
  std::optional<Fault> add_documented(const Decoded& event, Submission& out);
  std::optional<Fault> append(std::string_view device, std::string_view type, Timestamp time,
                              Submission& out);
  std::optional<Fault> append_ignored(std::string_view type, Submission& out);
  std::optional<Fault> end(std::size_t start, std::string_view device, Submission& out);
  Fault explain(const Record& record);

  const std::size_t longest_;
  Decoder documented_;
  Decoder mapped_;
};

}  // namespace dwell
