#pragma once

#include "telemetry/log_level.h"

namespace dwell {

// Of the lines of a log: automatic is text on a terminal, and JSON elsewhere.
enum class LogFormat { automatic, text, json };

struct LogOptions {
  LogFormat format = LogFormat::automatic;
  LogLevel level = LogLevel::info;  // the least grave lines that are written
};

}  // namespace dwell
