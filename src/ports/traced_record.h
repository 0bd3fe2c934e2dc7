#pragma once

#include <string>
#include <string_view>

#include "core/record.h"
#include "telemetry/trace_context.h"

namespace dwell {

// A record that belongs to a trace, and what became of it.
struct TracedRecord {
  TraceContext parent = {};  // what it came with; zero: the trace begins with it
  TraceContext own;          // what it is handed on with: the span of its processing
  PartitionId partition = 0;
  std::uint32_t record = 0;  // its index in its slice
  Offset offset = 0;
  std::string_view outcome = {};  // lives for ever
  std::string device = {};        // only where telemetry.device_ids allows it
};

}  // namespace dwell
