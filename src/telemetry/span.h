#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "telemetry/trace_context.h"

namespace dwell {

enum class SpanKind : std::uint8_t { internal, server, client, producer, consumer };

// What was done, from when to when, for which trace: a span that is over. Names of spans and of
// attributes: OpenTelemetry's semantic conventions 1.44.0, docs/telemetry.md.
struct Span {
  using Time = std::chrono::system_clock::time_point;
  using Value = std::variant<std::int64_t, std::string>;

  TraceContext context;  // its own
  SpanId parent{};       // zero: a root
  SpanKind kind = SpanKind::internal;
  std::string name;
  Time start{};
  Time end{};
  std::vector<std::pair<std::string_view, Value>> attributes = {};  // keys live for ever
  std::vector<TraceContext> links = {};
  std::string error = {};  // empty: it went well
};

// The most links that a span has; what is beyond is counted in an attribute.
inline constexpr std::size_t kMostLinks = 128;

}  // namespace dwell
