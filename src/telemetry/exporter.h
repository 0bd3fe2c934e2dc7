#pragma once

#include <chrono>
#include <memory>
#include <prometheus/metric_family.h>
#include <span>
#include <string>
#include <vector>

#include "telemetry/log_level.h"
#include "telemetry/span.h"

namespace dwell {

// A line of the log.
struct LogLine {
  std::chrono::system_clock::time_point time{};
  LogLevel level = LogLevel::info;
  std::string text;
  TraceContext context = {};  // zero: none
};

// What became of one try to send.
struct Sent {
  enum class Kind : std::uint8_t { ok, later, refused };
  Kind kind = Kind::ok;
  std::string why = {};                 // unless it is ok
  std::chrono::milliseconds wait = {};  // asked for by the collector before the next try
};

// Hands telemetry to a collector. send() waits for its answer, for as long as
// OTEL_EXPORTER_OTLP_TIMEOUT says; it may be called for each kind on a thread of its own, and
// cannot be cut short.
class TelemetryExporter {
 public:
  virtual ~TelemetryExporter() = default;

  virtual Sent send(std::span<const Span> spans) = 0;
  virtual Sent send(std::span<const LogLine> lines) = 0;
  // All there are, cumulative since `start`.
  virtual Sent send(const std::vector<prometheus::MetricFamily>& metrics,
                    std::chrono::system_clock::time_point start) = 0;
};

// What names the process in all that it sends: attributes of its resource.
using ResourceAttributes = std::vector<std::pair<std::string, std::string>>;

struct ExporterOptions {
  bool uses_grpc_for_spans = false;  // else HTTP with protobuf
  bool uses_grpc_for_metrics = false;
  bool uses_grpc_for_logs = false;
  ResourceAttributes resource;  // beside those of OTEL_RESOURCE_ATTRIBUTES, which win
};

// The function that libdwell_otlp.so has under this name. Endpoints, headers, certificates and time
// limits are read from the OTEL_EXPORTER_OTLP_* variables.
inline constexpr const char* kOtlpFunction = "dwell_make_otlp_exporter";
using MakeExporter = TelemetryExporter* (*)(const ExporterOptions& options);

}  // namespace dwell
