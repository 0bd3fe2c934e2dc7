#pragma once

namespace dwell {

// The log of a service: lines on standard error, UTC with milliseconds.
void log_to_stderr();

}  // namespace dwell
