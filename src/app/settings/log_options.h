#pragma once

namespace dwell {

// Of the lines of a log: automatic is text on a terminal, and JSON elsewhere.
enum class LogFormat { automatic, text, json };

// The least grave lines that are written.
enum class LogLevel { debug, info, warning, error };

struct LogOptions {
  LogFormat format = LogFormat::automatic;
  LogLevel level = LogLevel::info;
};

}  // namespace dwell
