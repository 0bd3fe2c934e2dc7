#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "telemetry/sampler.h"

namespace dwell {

enum class Signal : std::uint8_t { traces, metrics, logs };
inline constexpr std::array kSignals{Signal::traces, Signal::metrics, Signal::logs};
std::string_view name(Signal signal);

// One of the standard variables OTEL_*:
// https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/ and
// https://opentelemetry.io/docs/specs/otel/protocol/exporter/
struct OtelVariable {
  std::string name;
  const char* fallback;  // what holds without it, in words
  const char* meaning;
  bool is_secret = false;
};
std::span<const OtelVariable> otel_variables();

// How telemetry leaves the process, as the OTEL_* variables say.
struct OtelSettings {
  struct Queue {
    std::size_t capacity = 2'048;
    std::size_t batch = 512;
    std::chrono::milliseconds delay{5'000};
  };

  // A signal is on once it has an endpoint. Without any, nothing is started.
  std::array<bool, kSignals.size()> is_on{};
  std::array<bool, kSignals.size()> uses_grpc{};  // else HTTP with protobuf
  std::string endpoint;                           // of the first signal that is on, for messages
  Sampler records{0.01, true};                    // where traces of records begin
  Sampler requests{1, true};                      // where traces of requests begin
  Queue spans;
  Queue lines{2'048, 512, std::chrono::milliseconds(1'000)};
  std::chrono::milliseconds metrics_every{60'000};
  std::size_t most_links = 128;
  bool names_devices = false;         // attributes may hold device ids: telemetry.device_ids
  std::vector<std::string> secrets;   // values that no message may hold
  std::vector<std::string> warnings;  // of variables that were left out, as the standard asks

  bool is_any_on() const { return is_on[0] || is_on[1] || is_on[2]; }
  bool has(Signal signal) const { return is_on[static_cast<std::size_t>(signal)]; }
};

// `get` gives the value of a variable; empty or none: it is not set.
using GetVariable = std::function<const char*(const char* name)>;
OtelSettings read_otel(const GetVariable& get);

}  // namespace dwell
