#pragma once

#include <memory>
#include <string>

#include "app/process/metrics.h"
#include "app/settings/config.h"
#include "telemetry/telemetry.h"

namespace dwell {

// Begins to send telemetry where an OTLP endpoint is set (OTEL_*, docs/telemetry.md); else null.
// Says in the log what it leaves out, and why where nothing can be sent: a process works without
// it. Borrows the metrics.
std::unique_ptr<Telemetry> start_telemetry(const Config& config, const std::string& role,
                                           Metrics& metrics);

}  // namespace dwell
