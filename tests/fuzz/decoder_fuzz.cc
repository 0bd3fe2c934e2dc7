// Any bytes as a record: decoded without harm, always alike, and as events only within their
// bounds.
#include <string>

#include "base/check.h"
#include "core/decoder.h"
#include "tests/property/json_oracle.h"

namespace dwell {
namespace {

constexpr Timestamp kNow = from_ms(1'751'932'800'000);

Decoded decode(Decoder& decoder, const std::string& bytes) {
  decoder.reset();
  return decoder.decode({.bytes = bytes, .now = kNow});
}

bool is_same(const Decoded& a, const Decoded& b) {
  return a.outcome == b.outcome && a.ignored_type == b.ignored_type &&
         (a.outcome != Outcome::accepted ||
          (a.event.device == b.event.device && a.event.timestamp == b.event.timestamp &&
           a.event.type == b.event.type));
}

// What holds for a decoded record by itself.
void check_bounds(const Decoded& decoded) {
  switch (decoded.outcome) {
    case Outcome::accepted:
      CHECK(is_valid_device_id(decoded.event.device));
      CHECK(JsonOracle::is_utf8(decoded.event.device));
      CHECK(in_range(decoded.event.timestamp));
      return;
    case Outcome::ignored:
    case Outcome::malformed:
    case Outcome::invalid_device_id:
    case Outcome::invalid_timestamp:
      return;
    default:
      CHECK(!"an outcome a decoder never gives");
  }
}

// The same bytes as a value nobody reads: then the outcome says whether they are JSON.
void check_as_nested_value(Decoder& decoder, const std::string& bytes) {
  const std::string record = "{\"x\":" + bytes + ",\"event_type\":\"heartbeat\"}";
  const bool is_json = JsonOracle::is_object(record, Decoder::kDeepestNesting);
  const Outcome outcome = decode(decoder, record).outcome;
  // Bytes such as `1},"event_type":null` leave the value, and the record may mean anything.
  const bool is_one_value = JsonOracle::is_object(bytes, Decoder::kDeepestNesting - 1);
  if (!is_json) CHECK(outcome == Outcome::malformed);
  if (is_one_value) CHECK(outcome == Outcome::ignored);
}

Rule rule_1(ClockSource clock_source) {
  Rule rule;
  rule.version = 1;
  rule.clock_source = clock_source;
  return rule;
}

void fuzz(const std::string& bytes) {
  static Decoder used{rule_1(ClockSource::event)};  // has seen every input so far
  Decoder fresh{rule_1(ClockSource::event)};
  const Decoded first = decode(used, bytes);
  const Decoded second = decode(fresh, bytes);
  CHECK(is_same(first, second));
  // A tab in front leads off the shorter way that plain records take.
  const std::string detour = '\t' + bytes;
  const Decoded other = decode(fresh, detour);
  CHECK(is_same(first, other));
  check_bounds(first);
  const bool is_json = JsonOracle::is_object(bytes, Decoder::kDeepestNesting);
  if (!is_json) CHECK(first.outcome == Outcome::malformed);

  Decoder received{rule_1(ClockSource::received)};
  const Decoded untimed = decode(received, bytes);
  check_bounds(untimed);
  if (first.outcome == Outcome::accepted || first.outcome == Outcome::invalid_timestamp) {
    CHECK(untimed.outcome == Outcome::accepted && untimed.event.timestamp == kNow);
  } else {
    CHECK(untimed.outcome == first.outcome);
  }
  check_as_nested_value(received, bytes);
}

// Rule 2, with a mapping that takes every way: what it reads depends on the bytes alone.
Rule mapped_rule() {
  Rule rule;
  rule.mapping.device_id = {"/device_id", "{/x/0}@{/x/1}"};
  rule.mapping.event_type = {"/event_type", "/x/event_type"};
  rule.mapping.enter = {"device_enter", "1"};
  rule.mapping.exit = {"*"};
  rule.mapping.id_spelling = IdSpelling::mac;
  return rule;
}

void fuzz_rule_2(const std::string& bytes) {
  Rule by_default;
  by_default.time = kUsualTimes;
  for (const Rule& rule : {by_default, mapped_rule()}) {
    Decoder decoder{rule};
    Decoder other{rule};
    const Decoded decoded = decode(decoder, bytes);
    const std::string detour = '\t' + bytes;
    const bool is_framed = !bytes.empty() && bytes.front() == '\0';
    if (!is_framed) CHECK(is_same(decoded, decode(other, detour)));
    CHECK(decoder.explain({.bytes = bytes, .now = kNow}).empty() == !is_rejected(decoded.outcome));
    const bool is_json = JsonOracle::is_object(bytes, Decoder::kDeepestNesting);
    if (!is_framed) CHECK(is_json == (decoded.outcome != Outcome::malformed));
    if (decoded.outcome == Outcome::accepted) {
      CHECK(is_valid_device_id(decoded.event.device));
      CHECK(decoded.event.timestamp >= rule.time.earliest && in_range(decoded.event.timestamp));
    }
  }
}

}  // namespace
}  // namespace dwell

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  dwell::fuzz(bytes);
  dwell::fuzz_rule_2(bytes);
  return 0;
}
