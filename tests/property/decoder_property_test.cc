// Records put together from parts whose meaning is known, and records that were broken on purpose.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "core/decoder.h"
#include "tests/property/json_oracle.h"

namespace dwell {
namespace {

constexpr Timestamp kNow = from_ms(1'751'932'800'000);

// A member's value as it is written, and what it means.
template <typename Meaning>
struct Written {
  std::string token;
  std::optional<Meaning> meaning;  // empty: unusable
};

// Text as a JSON string, some of its ASCII characters written as escapes.
std::string json_string(const std::string& text) {
  std::string token = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool must_escape = byte < 0x20 || c == '"' || c == '\\';
    if (must_escape || (byte < 0x80 && *rc::gen::inRange(0, 8) == 0)) {
      token += *rc::gen::element(fmt::format("\\u{:04x}", byte), fmt::format("\\u{:04X}", byte));
    } else {
      token += c;
    }
  }
  return token + '"';
}

Written<std::string> any_device_id() {
  const auto good = *rc::gen::element<std::string>("cam-1", "a", "a/b", "tür", "\xf0\x9f\x9a\xaa",
                                                   "with \"quotes\"", "back\\slash", "<&>",
                                                   "\xc2\xa0", std::string(256, 'x'));
  const auto bad_token = *rc::gen::element<std::string>(
      R"("")", "7", "null", "true", "[\"cam-1\"]", "{}", R"("a\u0000")", R"("\n")", R"("\u007f")",
      R"("\u0085")", "\"\xc2\x9f\"", R"("\ud800")", R"("\udc00x")", R"("\ud83d\ud83d")");
  const auto kind = *rc::gen::inRange(0, 8);
  if (kind == 0) return {bad_token, std::nullopt};
  if (kind == 1) return {json_string(std::string(257, 'x')), std::nullopt};
  if (kind == 2) return {R"("\ud83d\udeaa")", "\xf0\x9f\x9a\xaa"};  // a pair of surrogates
  return {json_string(good), good};
}

Written<Timestamp> any_time() {
  const auto kind = *rc::gen::inRange(0, 4);
  if (kind == 0) {
    return {*rc::gen::element<std::string>("1e3", "5.0", "-1", "253402300800000", "null", "\"\"",
                                           "\"1000\"", "18446744073709551616", "[1000]", "-0.0",
                                           "\"2025-07-08T12:00:60Z\"", "\"2025-07-08 12:00:00Z\"",
                                           "\"1969-12-31T23:59:59.999Z\"", "true"),
            std::nullopt};
  }
  const auto ms = *rc::gen::element<std::int64_t>(0, 1, 1'000, 1'751'932'800'250, to_ms(kLatest));
  const std::string text = format_rfc3339(from_ms(ms));
  return {kind == 1 ? json_string(text) : std::to_string(ms), from_ms(ms)};
}

// A type the decoder may see: an event's, another one, or no string at all.
Written<std::string> any_type() {
  const auto type = *rc::gen::weightedElement<std::string>(
      {{4, "device_enter"}, {4, "device_exit"}, {1, "heartbeat"}, {1, ""}, {1, "Device_enter"}});
  if (*rc::gen::inRange(0, 10) == 0) {
    return {*rc::gen::element<std::string>("1", "null", "[]", "{\"event_type\":\"device_exit\"}"),
            std::nullopt};
  }
  return {json_string(type), type};
}

struct Member {
  std::string key;
  std::string value;
};

std::string any_space() {
  return *rc::gen::weightedElement<std::string>({{5, ""}, {1, " "}, {1, "\t"}, {1, "\r\n  "}});
}

Member other_member() {
  return {*rc::gen::element<std::string>("site", "Device_id", "device_id ", "", "\xc3\xbc"),
          *rc::gen::element<std::string>(
              "1.5e-3", "null", "true", R"({"device_id":"inner","timestamp":[1,{"a":[]}]})", "[]",
              R"(["event_type",{"event_type":"device_exit"},-0.0])", R"("}{\"")", R"("\ud800")",
              R"({"a":{"b":{"c":[[[["deep"]]]]}}})")};
}

// Copies of `value`, and before each of them members that are overruled by it.
template <typename Any>
auto add_member(std::vector<Member>& members, const std::string& key, Any any) {
  auto last = any();
  for (auto more = *rc::gen::weightedElement<int>({{6, 0}, {1, 1}, {1, 2}}); more > 0; --more) {
    members.push_back({key, last.token});
    last = any();
  }
  members.push_back({key, last.token});
  return last;
}

// Shuffles the members but keeps those of one key in their order.
std::string written(std::vector<Member> members) {
  for (std::size_t i = members.size(); i > 1; --i) {
    const auto j = *rc::gen::inRange<std::size_t>(0, i);
    const bool would_overtake =
        std::any_of(
            members.begin() + static_cast<std::ptrdiff_t>(j),
            members.begin() + static_cast<std::ptrdiff_t>(i),
            [&](const Member& m) { return m.key == members[j].key && &m != &members[j]; }) ||
        std::any_of(members.begin() + static_cast<std::ptrdiff_t>(j),
                    members.begin() + static_cast<std::ptrdiff_t>(i), [&](const Member& m) {
                      return m.key == members[i - 1].key && &m != &members[i - 1];
                    });
    if (!would_overtake) std::swap(members[j], members[i - 1]);
  }
  std::string record = any_space() + "{" + any_space();
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (i > 0) record += ",";
    record += any_space() + json_string(members[i].key) + any_space() + ":" + any_space() +
              members[i].value + any_space();
  }
  return record + "}" + any_space();
}

Rule rule_1() {
  Rule rule;
  rule.version = 1;
  return rule;
}

Decoded decode(Decoder& decoder, std::string_view bytes) {
  return decoder.decode({.bytes = bytes, .now = kNow});
}

RC_GTEST_PROP(Decoder, MeansWhatItWasWrittenToMean, ()) {
  std::vector<Member> members;
  Written<std::string> type, device;
  Written<Timestamp> time;
  const auto is_there = [] { return *rc::gen::inRange(0, 12) > 0; };
  if (is_there()) type = add_member(members, "event_type", any_type);
  if (is_there()) device = add_member(members, "device_id", any_device_id);
  if (is_there()) time = add_member(members, "timestamp", any_time);
  for (auto more = *rc::gen::inRange(0, 4); more > 0; --more) members.push_back(other_member());
  const std::string record = written(members);
  RC_LOG() << record << std::endl;

  const bool is_event = type.meaning == "device_enter" || type.meaning == "device_exit";
  const Outcome expected = !type.meaning     ? Outcome::malformed
                           : !is_event       ? Outcome::ignored
                           : !device.meaning ? Outcome::invalid_device_id
                           : !time.meaning   ? Outcome::invalid_timestamp
                                             : Outcome::accepted;
  Decoder decoder{rule_1()};
  const Decoded decoded = decode(decoder, record);
  if (decoded.outcome != expected) {
    RC_FAIL(fmt::format("{} instead of {}", name(decoded.outcome), name(expected)));
  }
  if (expected == Outcome::ignored) RC_ASSERT(decoded.ignored_type == *type.meaning);
  if (expected != Outcome::accepted) return;
  RC_ASSERT(decoded.event.device == *device.meaning);
  RC_ASSERT(decoded.event.timestamp == *time.meaning);
  RC_ASSERT(wire_name(decoded.event.type) == *type.meaning);
}

// Bytes changed, put in, taken out, or the rest cut off: what is no JSON object any more is
// malformed, and a decoder that has seen nothing before says the same.
RC_GTEST_PROP(Decoder, BrokenJsonIsMalformed, ()) {
  std::vector<Member> members;
  add_member(members, "event_type", [] {
    return Written<std::string>{json_string("device_exit"), ""};
  });
  add_member(members, "device_id", any_device_id);
  add_member(members, "timestamp", any_time);
  members.push_back(other_member());
  std::string record = written(members);
  Decoder used{rule_1()};
  decode(used, record);
  for (auto changes = *rc::gen::inRange(1, 3); changes > 0 && !record.empty(); --changes) {
    const auto at = *rc::gen::inRange<std::size_t>(0, record.size());
    const auto byte = *rc::gen::oneOf(
        rc::gen::element('"', '\\', '{', '}', '[', ']', ',', ':', ' ', 'u', '0', '-', '.', 'e'),
        rc::gen::arbitrary<char>());
    switch (*rc::gen::inRange(0, 4)) {
      case 0:
        record[at] = byte;
        break;
      case 1:
        record.insert(at, 1, byte);
        break;
      case 2:
        record.erase(at, 1);
        break;
      default:
        record.resize(at);
    }
  }
  RC_LOG() << record << std::endl;
  const Decoded decoded = decode(used, record);
  const bool is_json = JsonOracle::is_object(record, Decoder::kDeepestNesting);
  if (!is_json) RC_ASSERT(decoded.outcome == Outcome::malformed);
  Decoder fresh{rule_1()};
  const Decoded again = decode(fresh, record);
  RC_ASSERT(again.outcome == decoded.outcome);
  if (again.outcome != Outcome::accepted) return;
  RC_ASSERT(again.event.device == decoded.event.device);
  RC_ASSERT(again.event.timestamp == decoded.event.timestamp);
  RC_ASSERT(again.event.type == decoded.event.type);
}

// Most records are read by a shorter way than the rest; a tab in front leads off it. Both ways must
// say the same, of good records and of slightly broken ones.
RC_GTEST_PROP(Decoder, BothWaysOfReadingAgree, ()) {
  std::string record = *rc::gen::element<std::string>(
      R"({"device_id": "cam-000017", "event_type": "device_exit", "timestamp": 1751932800000})",
      R"({"event_type":"device_enter","timestamp":1751932800000,"device_id":"c17"})");
  const auto part = rc::gen::element<std::string>(
      "\"", "\\", "{", "}", "[", ",", ":", " ", "0", "-", ".5", "e1", "null", "{}", "\x01", "\x1f",
      "\x7f", "\x80", "\xc3\xa9", "\xff", "\\u0041", "\"a\":\"b\",", "\"timestamp\":0,",
      "\"\":12345678,", "\"device_id\":\"0123456\",", "\"event_type\":\"heartbeat\",", "\"k\":01,");
  for (auto changes = *rc::gen::inRange(0, 4); changes > 0; --changes) {
    auto at = *rc::gen::inRange<std::size_t>(0, record.size() + 1);
    // Half of them where one token ends and the next begins.
    if (*rc::gen::arbitrary<bool>()) at = std::min(record.find_first_of(":,}", at), record.size());
    if (at < record.size() && *rc::gen::arbitrary<bool>()) ++at;
    if (*rc::gen::weightedElement<bool>({{3, true}, {1, false}})) {
      record.insert(at, *part);
    } else {
      record.erase(at, *rc::gen::inRange<std::size_t>(1, 4));
    }
  }
  RC_LOG() << record << std::endl;
  Decoder decoder{rule_1()};
  const Decoded decoded = decode(decoder, record);
  const std::string detour = '\t' + record;
  const Decoded other = decode(decoder, detour);
  RC_CLASSIFY(decoded.outcome == Outcome::malformed, "malformed");
  RC_ASSERT(decoded.outcome == other.outcome);
  RC_ASSERT(decoded.ignored_type == other.ignored_type);
  if (decoded.outcome != Outcome::accepted) return;
  RC_ASSERT(decoded.event.device == other.event.device);
  RC_ASSERT(decoded.event.timestamp == other.event.timestamp);
  RC_ASSERT(decoded.event.type == other.event.type);
}

// A heartbeat around a value nobody reads: ignored when the whole is JSON, malformed when not.
RC_GTEST_PROP(Decoder, ChecksValuesNobodyReads, ()) {
  std::string value = other_member().value;
  if (*rc::gen::arbitrary<bool>()) {
    const auto at = *rc::gen::inRange<std::size_t>(0, value.size());
    value[at] = *rc::gen::element('"', '\\', '{', '}', '[', ']', ',', ':', ' ', 'u', '0', '-', '.',
                                  'e', '\x01', '\x80');
  }
  const auto depth =
      *rc::gen::weightedOneOf<int>({{5, rc::gen::inRange(0, 3)}, {1, rc::gen::inRange(55, 70)}});
  for (int i = 0; i < depth; ++i) {
    value = *rc::gen::arbitrary<bool>() ? "[" + value + "]" : "{\"a\":" + value + "}";
  }
  const std::string record = "{\"x\":" + value + ",\"event_type\":\"heartbeat\"}";
  RC_LOG() << record << std::endl;
  Decoder decoder{rule_1()};
  const bool is_json = JsonOracle::is_object(record, Decoder::kDeepestNesting);
  RC_CLASSIFY(is_json, "JSON");
  RC_ASSERT(decode(decoder, record).outcome == (is_json ? Outcome::ignored : Outcome::malformed));
}

}  // namespace
}  // namespace dwell
