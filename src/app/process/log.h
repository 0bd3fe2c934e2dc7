#pragma once

namespace dwell {

class Telemetry;

// The log of a service: lines on standard error, UTC with milliseconds. It waits for no reader.
void log_to_stderr();

// Hands each line to it as well, from now on; null: to nobody. Borrows it.
void send_log_to(Telemetry* telemetry);

}  // namespace dwell
