#pragma once

#include <optional>
#include <string>

#include "telemetry/trace_context.h"

namespace dwell {

// Where the lines of a thread come from: what a JSON line says besides its text. Members that are
// empty are left out.
struct LogContext {
  std::string task = {};                  // by its name on the health board, as in "member 0"
  std::optional<TraceContext> span = {};  // what the line is about, where that is traced
};

// That of this thread.
inline LogContext& log_context() {
  thread_local LogContext context;
  return context;
}

}  // namespace dwell
