#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace dwell {

using TraceId = std::array<std::uint8_t, 16>;
using SpanId = std::array<std::uint8_t, 8>;

// Who began a trace, or works in it: W3C Trace Context, https://www.w3.org/TR/trace-context/.
struct TraceContext {
  TraceId trace{};  // not zero
  SpanId span{};    // not zero
  std::uint8_t flags = 0;

  bool is_sampled() const { return (flags & 1) != 0; }
  friend bool operator==(const TraceContext&, const TraceContext&) = default;
};

// Names of the headers of HTTP requests and of Kafka records.
inline constexpr const char* kTraceParent = "traceparent";
inline constexpr const char* kTraceState = "tracestate";
inline constexpr std::size_t kLongestTraceState = 1 << 10;  // that is passed on

// Reads a `traceparent`, for example 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01. Of a
// later version it reads what it knows. Empty when it is none.
std::optional<TraceContext> parse_traceparent(std::string_view text);

// Whether a `traceparent` says that it is sampled, told by one character and nothing else.
inline bool looks_sampled(std::string_view text) {
  constexpr std::size_t kLastFlag = 54;
  if (text.size() <= kLastFlag) return false;
  const char digit = text[kLastFlag];
  return digit <= '9' ? (digit & 1) != 0 : (digit & 1) == 0;  // 'b', 'd' and 'f' are even
}

// As a `traceparent` of version 00.
std::string format_traceparent(const TraceContext& context);

// The span of what happens at one place in one trace: the same at each try, so that a redelivery
// after a crash is the same span. `place` says where, for example "device-events/3@17".
SpanId span_of(const TraceId& trace, std::string_view place);
// A trace that begins at a place.
TraceId trace_of(std::string_view place);
// Of what happens once.
TraceId random_trace();
SpanId random_span();

}  // namespace dwell
