#pragma once

#include <optional>
#include <string>

#include "core/decoder.h"

namespace dwell {

// Puts into words why records were rejected. Not thread-safe.
class RejectReasons {
 public:
  explicit RejectReasons(const Rule& rule) : rule_(rule), decoder_(rule) {}

  // One line that names the member, what was found and what was expected. Empty when the rule would
  // take the record, as after a change of settings. `outcome` is a rejection.
  std::string explain(const Record& record, Outcome outcome);

  // The id of the device that the record is of; empty where it cannot be read.
  std::string device_of(const Record& record);

 private:
  Rule rule_;
  Decoder decoder_;
};

}  // namespace dwell
