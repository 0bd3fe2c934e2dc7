#pragma once

namespace dwell {

// The log of a service: lines on standard error, UTC with milliseconds. It waits for no reader.
void log_to_stderr();

}  // namespace dwell
