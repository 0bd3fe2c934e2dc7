#pragma once

#include <cstdint>

namespace dwell {

// How grave a line of the log is.
enum class LogLevel : std::uint8_t { debug, info, warning, error };

}  // namespace dwell
