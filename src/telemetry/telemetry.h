#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <prometheus/metric_family.h>
#include <string>
#include <vector>

#include "base/result.h"
#include "telemetry/courier.h"
#include "telemetry/exporter.h"
#include "telemetry/otel_settings.h"

namespace dwell {

// What a process tells a collector over OTLP: spans, metrics and lines of its log. Nothing waits
// for the collector; what it does not take is dropped and counted. Any thread.
class Telemetry {
 public:
  // What it asks of the process. Any thread.
  struct Process {
    ResourceAttributes resource;
    std::function<std::vector<prometheus::MetricFamily>()> metrics;
    // Says once that a signal does not get through and why, and once that it does again. Not to be
    // sent as a line of the log.
    std::function<void(bool is_well, const std::string& text)> tell;
  };

  // Loads the exporter and begins. Errors: invalid (this build, or this machine, has no exporter).
  static Result<std::unique_ptr<Telemetry>> start(const OtelSettings& settings, Process process);
  // With an exporter of the caller's.
  Telemetry(const OtelSettings& settings, Process process,
            std::unique_ptr<TelemetryExporter> exporter);
  Telemetry(const Telemetry&) = delete;
  Telemetry& operator=(const Telemetry&) = delete;

  static constexpr std::chrono::milliseconds kLongestEnd{2'000};

  // Sends what waits, for at most `patience`. A call that the collector does not answer cannot be
  // cut short: false then, and the process has to end by std::_Exit(), with that thread in it.
  static bool end(std::unique_ptr<Telemetry> telemetry,
                  std::chrono::milliseconds patience = kLongestEnd);
  // Whether end() has given false, in this process.
  static bool is_left_behind();
  // Legal for end() alone.
  ~Telemetry();

  const OtelSettings& settings() const { return settings_; }

  // Whether a span would be taken now: asked before one is made. One that is not is counted.
  bool takes_span();
  void add(Span span);
  void add(LogLine line);

  // Of metrics: how many times the whole of them was not taken.
  std::uint64_t dropped(Signal signal) const;

 private:
  class MetricsCourier;

  Sent told(Signal signal, Sent sent);

  const OtelSettings settings_;
  const Process process_;
  const std::chrono::system_clock::time_point started_ = std::chrono::system_clock::now();
  std::unique_ptr<TelemetryExporter> exporter_;
  std::array<std::atomic<bool>, kSignals.size()> is_well_;
  std::atomic<bool> is_over_ = false;  // what it asks of the process may be gone
  // Of signals that are on.
  std::unique_ptr<Courier<Span>> spans_;
  std::unique_ptr<Courier<LogLine>> lines_;
  std::unique_ptr<MetricsCourier> metrics_;
};

// Whether libdwell_otlp.so is beside this program, or where it was installed; else why not. Loads
// it.
Result<MakeExporter> find_exporter();

}  // namespace dwell
