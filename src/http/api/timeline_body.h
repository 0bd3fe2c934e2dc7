#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "core/timeline.h"

namespace dwell {

enum class Representation { json, ndjson, csv };

std::string_view content_type(Representation representation);

// The best of application/json, application/x-ndjson and text/csv for an Accept `header` (RFC 9110
// section 12.5.1); empty when none is acceptable.
std::optional<Representation> negotiate(std::string_view header);

// Writes rows of one device piece by piece. Each form ends in a mark of its own, so that a reader
// sees when the end is missing.
//   json    {"events":[{"deviceID":"cam-1","eventType":"device_enter","timestamp":"..."}]}\n
//   ndjson  a line for each event, then {"end":true,"events":2}, with "next" as in json
//   csv     a head line, a line for each event, then # end,2
class TimelineWriter {
 public:
  TimelineWriter(Representation representation, std::string_view device);

  void begin(std::string& out) const;
  void add(const Row& row, std::string& out);
  // `next`: the cursor of the next page, in json.
  void end(const std::optional<std::string>& next, std::string& out) const;

 private:
  std::string before(std::string_view type_name) const;

  Representation representation_;
  std::string device_;                 // as it is written
  std::array<std::string, 2> before_;  // what stands before the time of an enter, of an exit
  std::string_view after_;             // and behind it
  std::size_t count_ = 0;
  Rfc3339Writer times_;
};

}  // namespace dwell
