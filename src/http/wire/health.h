#pragma once

#include <string>
#include <vector>

namespace dwell {

// How a process is.
struct Health {
  std::vector<std::string> not_ready_because = {};  // empty: ready
  std::vector<std::string> warnings = {};           // what somebody should look at all the same
};

}  // namespace dwell
