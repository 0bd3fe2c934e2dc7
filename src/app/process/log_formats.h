#pragma once

#include <memory>
#include <spdlog/formatter.h>

namespace dwell {

// How lines of the log are written. Names of files and words of others are in them: whatever they
// hold, none ends a line, forges another one or writes over it, and each line is valid UTF-8.

// 2025-07-08T06:00:00.000Z info ready: 3 devices
std::unique_ptr<spdlog::formatter> text_lines();

// {"time":"2025-07-08T06:00:00.000Z","level":"info","message":"ready: 3 devices"}, and what
// LogContext knows: task, trace_id, span_id. A line is at most PIPE_BUF (4,096) bytes long, which a
// pipe takes whole; a longer message is cut, and ends in "...".
std::unique_ptr<spdlog::formatter> json_lines();

}  // namespace dwell
