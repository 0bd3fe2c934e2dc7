#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "core/decoder.h"

// What the tests of the decoder share.
namespace dwell {

inline constexpr Timestamp kNow = from_ms(7000);

// A decoded record that owns what it points to.
struct ReadRecord {
  Outcome outcome;
  std::string device;
  std::int64_t ms;
  EventType type;
  std::string ignored_type;
};

// The rule of the first release.
inline Rule rule_1(ClockSource clock_source = ClockSource::event) {
  Rule rule;
  rule.version = 1;
  rule.clock_source = clock_source;
  return rule;
}

inline ReadRecord read(const std::string& bytes, const Rule& rule = rule_1()) {
  Decoder decoder(rule);
  Record record;
  record.bytes = bytes;
  record.now = kNow;
  const Decoded decoded = decoder.decode(record);
  return {decoded.outcome, std::string(decoded.event.device), to_ms(decoded.event.timestamp),
          decoded.event.type, std::string(decoded.ignored_type)};
}

// Under rule 1; what is JSON and what is not is the same under rule 2.
inline std::string outcome(const std::string& bytes) {
  const Outcome first = read(bytes).outcome;
  const Outcome second = read(bytes, Rule()).outcome;
  const bool has_type = second != Outcome::invalid_event_type;
  EXPECT_EQ(first == Outcome::malformed && has_type, second == Outcome::malformed) << bytes;
  return std::string(name(first));
}

// Events with one part to vary.
inline std::string with_id(const std::string& inside) {
  return R"({"device_id":")" + inside + R"(","event_type":"device_enter","timestamp":1000})";
}

inline std::string with_time(const std::string& token) {
  return R"({"device_id":"cam-1","event_type":"device_exit","timestamp":)" + token + "}";
}

inline std::string with_type(const std::string& inside) {
  return R"({"device_id":"cam-1","event_type":")" + inside + R"(","timestamp":1000})";
}

inline std::string with_member(const std::string& member) {
  return R"({"device_id":"cam-1",)" + member + R"(,"event_type":"device_enter","timestamp":1000})";
}

inline std::string with_value(const std::string& value) {
  return with_member(R"("more":)" + value);
}

inline std::string quoted(const std::string& text) {
  return fmt::format("\"{}\"", text);
}

inline const std::string kValid = with_id("cam-1");

struct Case {
  std::string bytes;
  const char* outcome;
};

inline void expect_all(const std::vector<Case>& cases) {
  for (const auto& [bytes, expected] : cases) EXPECT_EQ(outcome(bytes), expected) << bytes;
}

inline void expect_each(const std::vector<std::string>& all, const char* expected,
                        std::string (*make)(const std::string&)) {
  for (const auto& one : all) EXPECT_EQ(outcome(make(one)), expected) << one;
}

}  // namespace dwell
