#include "telemetry/trace_context.h"

#include <algorithm>
#include <cstring>
#include <random>
#include <span>
#define XXH_INLINE_ALL
#include <xxhash.h>

namespace dwell {
namespace {

constexpr std::size_t kLength = 55;  // of version 00
constexpr std::string_view kDigits = "0123456789abcdef";

int digit_of(char c) {
  const auto at = kDigits.find(c);
  return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

bool parse_hex(std::string_view text, std::span<std::uint8_t> bytes) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const int high = digit_of(text[2 * i]);
    const int low = digit_of(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    bytes[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return true;
}

void append_hex(std::span<const std::uint8_t> bytes, std::string& out) {
  for (const std::uint8_t byte : bytes) {
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
}

bool is_zero(std::span<const std::uint8_t> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte == 0; });
}

// An id is never zero.
template <typename Id>
Id id_of(const void* bytes) {
  Id id;
  std::memcpy(id.data(), bytes, id.size());
  if (is_zero(id)) id.back() = 1;
  return id;
}

template <typename Id>
Id random_id() {
  thread_local std::mt19937_64 numbers{(std::uint64_t{std::random_device{}()} << 32) ^
                                       std::random_device{}()};
  const std::array<std::uint64_t, 2> bits{numbers(), numbers()};
  return id_of<Id>(bits.data());
}

}  // namespace

std::optional<TraceContext> parse_traceparent(std::string_view text) {
  if (text.size() < kLength || text[2] != '-' || text[35] != '-' || text[52] != '-') return {};
  std::array<std::uint8_t, 1> version{};
  std::array<std::uint8_t, 1> flags{};
  TraceContext context;
  if (!parse_hex(text.substr(0, 2), version) || !parse_hex(text.substr(3), context.trace) ||
      !parse_hex(text.substr(36), context.span) || !parse_hex(text.substr(53), flags)) {
    return {};
  }
  constexpr std::uint8_t kNoVersion = 0xff;
  if (version[0] == kNoVersion || is_zero(context.trace) || is_zero(context.span)) return {};
  if (text.size() > kLength && (version[0] == 0 || text[kLength] != '-')) return {};
  context.flags = flags[0];
  return context;
}

std::string format_traceparent(const TraceContext& context) {
  std::string text = "00-";
  text.reserve(kLength);
  append_hex(context.trace, text);
  text += '-';
  append_hex(context.span, text);
  text += '-';
  append_hex({&context.flags, 1}, text);
  return text;
}

SpanId span_of(const TraceId& trace, std::string_view place) {
  const auto seed = XXH3_64bits(trace.data(), trace.size());
  const auto hash = XXH3_64bits_withSeed(place.data(), place.size(), seed);
  return id_of<SpanId>(&hash);
}

TraceId trace_of(std::string_view place) {
  const auto hash = XXH3_128bits(place.data(), place.size());
  return id_of<TraceId>(&hash);
}

TraceId random_trace() {
  return random_id<TraceId>();
}

SpanId random_span() {
  return random_id<SpanId>();
}

}  // namespace dwell
