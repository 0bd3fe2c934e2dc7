// What rule 2 reads: other spellings, envelopes and what a mapping names.
#include <gtest/gtest.h>

#include "tests/unit/decoder_reading.h"

namespace dwell {
namespace {

Rule rule2(Mapping mapping = {}) {
  Rule rule;
  rule.time = kUsualTimes;
  rule.mapping = std::move(mapping);
  return rule;
}

constexpr const char* kRest = R"("event_type":"device_enter","timestamp":1751957694})";

// A record of an enter that begins as told.
std::string entering(std::string_view start) {
  return fmt::format("{}{}", start, kRest);
}

std::string shown(const std::string& bytes, const Rule& rule = rule2()) {
  const auto reading = read(bytes, rule);
  if (reading.outcome != Outcome::accepted) return std::string(name(reading.outcome));
  return fmt::format("{} {} {}", reading.device, wire_name(reading.type), reading.ms);
}

std::string explained(const std::string& bytes, const Rule& rule = rule2()) {
  return Decoder(rule).explain({.bytes = bytes, .now = kNow});
}

// Both ways to read a record: the short one of plain records, and that of all others.
void expect_both(const std::string& record, const std::string& expected,
                 const Rule& rule = rule2()) {
  EXPECT_EQ(shown(record, rule), expected) << record;
  EXPECT_EQ(shown(fmt::format("\t{}", record), rule), expected) << record;
}

TEST(DecoderMapping, ReadsTheSpellingsOfTheMembers) {
  for (const char* id : {"device_id", "deviceID", "deviceId"}) {
    for (const char* type : {"event_type", "eventType"}) {
      expect_both(
          fmt::format(R"({{"{}":"a","{}":"device_exit","timestamp":1751957694000}})", id, type),
          "a device_exit 1751957694000");
    }
  }
  expect_both(R"({"DEVICE_ID":"a","event_type":"device_enter","timestamp":1751957694})",
              "invalid_device_id");
}

TEST(DecoderMapping, OfSeveralSpellingsTheFirstNamedWinsAndOfOneTheLast) {
  expect_both(entering(R"({"deviceId":"c","device_id":"a","deviceID":"b",)"),
              "a device_enter 1751957694000");
  expect_both(entering(R"({"deviceId":"c","deviceId":"d",)"), "d device_enter 1751957694000");
}

TEST(DecoderMapping, NumbersAreIds) {
  expect_both(entering(R"({"device_id":4711,)"), "4711 device_enter 1751957694000");
  expect_both(entering(R"({"device_id":0,)"), "0 device_enter 1751957694000");
  expect_both(entering(R"({"device_id":12345678901234567890123,)"),
              "12345678901234567890123 device_enter 1751957694000");
  for (const char* id : {"-1", "1.0", "1e3", "true", "null", "[]", "{}"}) {
    expect_both(fmt::format(R"({{"device_id":{},{})", id, kRest), "invalid_device_id");
  }
  expect_both(entering(R"({"device_id":007,)"), "malformed");
}

TEST(DecoderMapping, ReadsTheEnvelopeOfConnect) {
  const std::string inner = entering(R"({"device_id":"a",)");
  expect_both(R"({"schema":{"type":"struct"},"payload":)" + inner + "}",
              "a device_enter 1751957694000");
  expect_both(R"({"payload":)" + inner + R"(,"schema":null})", "a device_enter 1751957694000");
  expect_both(R"({"payload":)" + inner + "}", "invalid_event_type");
  // One object gives all three.
  expect_both(R"({"event_type":"device_exit","schema":1,"payload":)" + inner + "}",
              "invalid_device_id");
  expect_both(R"({"device_id":"b","schema":1,"payload":)" + inner + "}",
              "a device_enter 1751957694000");
  // The last payload is the payload.
  expect_both(R"({"schema":1,"payload":)" + inner + R"(,"payload":{"device_id":"b"}})",
              "invalid_event_type");
}

TEST(DecoderMapping, SkipsTheFrameOfASchemaRegistry) {
  const std::string inner = entering(R"({"device_id":"a",)");
  EXPECT_EQ(shown(std::string("\0\0\0\7\x7b", 5) + inner), "a device_enter 1751957694000");
  EXPECT_EQ(shown(std::string("\0\0\0\7", 4) + inner), "malformed");
  EXPECT_EQ(shown(std::string("\0", 1)), "malformed");
  EXPECT_EQ(shown(std::string("\0\0\0\7\x7b", 5) + inner, rule_1()), "malformed");
}

TEST(DecoderMapping, AMemberThatIsMissingIsNamed) {
  expect_both(R"({"device_id":"a","timestamp":1751957694})", "invalid_event_type");
  expect_both(R"({"device_id":"a","event_type":5,"timestamp":1751957694})", "invalid_event_type");
  expect_both(R"({"event_type":"device_enter","timestamp":1751957694})", "invalid_device_id");
  expect_both(R"({"device_id":"a","event_type":"device_enter"})", "invalid_timestamp");
}

TEST(DecoderMapping, JudgesTimes) {
  const auto at = [](const std::string& time) {
    return R"({"device_id":"a","event_type":"device_exit","timestamp":)" + time + "}";
  };
  expect_both(at("\"1751957694.612\""), "a device_exit 1751957694612");
  expect_both(at("\"2025-07-08 08:54:54+02\""), "a device_exit 1751957694000");
  expect_both(at("3"), "past_timestamp");
  expect_both(at("946684800000"), "invalid_timestamp");
  expect_both(at("\"1970-01-01T00:00:03Z\""), "past_timestamp");
  expect_both(at("null"), "invalid_timestamp");
  expect_both(at("true"), "invalid_timestamp");
  const Rule off;
  expect_both(at("3"), "a device_exit 3", off);
}

TEST(DecoderMapping, FindsMembersWhereItIsTold) {
  Mapping mapping;
  mapping.device_id = {"/data/ids/1", "/a~1b~0c"};
  mapping.event_type = {"/data/state"};
  mapping.timestamp = {"/time", "/data/at"};
  const Rule rule = rule2(mapping);
  expect_both(R"({"data":{"ids":["x","y"],"state":"device_enter","at":1751957694}})",
              "y device_enter 1751957694000", rule);
  expect_both(
      R"({"time":1751957695,"data":{"ids":["x","y"],"state":"device_enter","at":1751957694}})",
      "y device_enter 1751957695000", rule);
  expect_both(R"({"time":1751957695,"a/b~c":"z","data":{"ids":["x"],"state":"device_enter"}})",
              "z device_enter 1751957695000", rule);
  expect_both(R"({"d\u0061ta":{"st\u0061te":"device_exit"},"a\/b~c":"z","time":1751957695})",
              "z device_exit 1751957695000", rule);
  expect_both(R"({"data":{"ids":["x","y"],"state":"device_enter","at":1751957694},"data":{}})",
              "invalid_event_type", rule);
  expect_both(R"({"data":{"ids":["x",],"state":"device_enter","at":1751957694}})", "malformed",
              rule);
  expect_both(R"({"data":7})", "invalid_event_type", rule);
}

TEST(DecoderMapping, AMappingMayPointIntoThePayloadItself) {
  Mapping mapping;
  mapping.device_id = {"/payload/device_id"};
  const Rule rule = rule2(mapping);
  expect_both(
      R"({"payload":{"device_id":"a"},"schema":1,"event_type":"device_exit","timestamp":1751957694})",
      "a device_exit 1751957694000", rule);
}

TEST(DecoderMapping, PutsIdsTogether) {
  Mapping mapping;
  mapping.device_id = {"{/person}@{/room}", "door {/door}"};
  const Rule rule = rule2(mapping);
  expect_both(entering(R"({"person":"ann","room":12,)"), "ann@12 device_enter 1751957694000", rule);
  expect_both(entering(R"({"person":"ann","door":3,)"), "door 3 device_enter 1751957694000", rule);
  expect_both(entering(R"({"person":"ann",)"), "invalid_device_id", rule);
  expect_both(entering(R"({"person":"ann","room":null,)"), "invalid_device_id", rule);
}

TEST(DecoderMapping, NamesTheTypes) {
  Mapping mapping;
  mapping.enter = {"connected", "true"};
  mapping.exit = {"disconnected", "0"};
  const auto of = [](const std::string& type) {
    return R"({"device_id":"a","timestamp":1751957694,"event_type":)" + type + "}";
  };
  const Rule rule = rule2(mapping);
  expect_both(of("\"connected\""), "a device_enter 1751957694000", rule);
  expect_both(of("true"), "a device_enter 1751957694000", rule);
  expect_both(of("0"), "a device_exit 1751957694000", rule);
  expect_both(of("false"), "ignored", rule);
  expect_both(of("\"device_enter\""), "ignored", rule);
  expect_both(of("null"), "invalid_event_type", rule);
  expect_both(of("{}"), "invalid_event_type", rule);
  mapping.enter = {"home"};
  mapping.exit = {"*"};
  expect_both(of("\"office\""), "a device_exit 1751957694000", rule2(mapping));
  expect_both(of("\"home\""), "a device_enter 1751957694000", rule2(mapping));
}

TEST(DecoderMapping, LowersIds) {
  Mapping mapping;
  mapping.id_spelling = IdSpelling::lower;
  expect_both(entering(R"({"device_id":"AA:bb:0C \u00c9",)"),
              "aa:bb:0c \xc3\x89 device_enter 1751957694000", rule2(mapping));
}

TEST(DecoderMapping, SpellsMacAddressesInOneWay) {
  Mapping mapping;
  mapping.id_spelling = IdSpelling::mac;
  const auto expect_id = [](const std::string& id, const std::string& read, const Rule& rule) {
    expect_both(entering(R"({"device_id":)" + id + R"(,"room":"Hall",)"),
                read + " device_enter 1751957694000", rule);
  };
  for (const char* id : {R"("02:00:5E:10:00:AA")", R"("02-00-5e-10-00-aa")", R"("0200.5e10.00AA")",
                         R"("02005E1000aa")"}) {
    expect_id(id, "02:00:5e:10:00:aa", rule2(mapping));
  }
  expect_id("123456789012", "12:34:56:78:90:12", rule2(mapping));
  for (const std::string id : {"02:00:5E:10:00", "02:00:5E-10:00:AA", "02:00:5E:10:00:AG",
                               "0200.5E10:00AA", "02005E1000A", "02:005E:10:00:AA", "Gate-A"}) {
    expect_id(quoted(id), id, rule2(mapping));
  }
  mapping.device_id = {"{/device_id}@{/room}"};
  expect_id(R"("02-00-5E-10-00-AA")", "02:00:5e:10:00:aa@Hall", rule2(mapping));
}

TEST(DecoderMapping, SaysOfEachMemberWhatWasReadAndWhere) {
  Mapping mapping;
  mapping.device_id = {"/id", "{/mac}@{/room}"};
  Decoder decoder(rule2(mapping));
  const std::string record =
      R"({"schema":0,"payload":{"mac":"a","room":7,"eventType":"other","timestamp":"noon"}})";
  const auto readings = decoder.inspect({.bytes = record, .now = kNow});
  ASSERT_EQ(readings.size(), 3u);
  EXPECT_EQ(readings[0].place, "{/mac}@{/room} in /payload");
  EXPECT_EQ(readings[0].found, R"("a", 7)");
  EXPECT_EQ(readings[0].value, "a@7");
  EXPECT_EQ(readings[1].place, "/eventType in /payload");
  EXPECT_EQ(readings[1].reason, R"("other" is neither in input.enter nor in input.exit)");
  EXPECT_EQ(readings[2].name, "timestamp");
  EXPECT_EQ(readings[2].value, "");
  EXPECT_EQ(readings[2].reason, R"("noon" is no RFC 3339 time and no number)");
  EXPECT_TRUE(decoder.inspect({.bytes = "oops", .now = kNow}).empty());
}

TEST(DecoderMapping, KnowsWhatAPlaceIs) {
  for (const char* place : {"/a", "/a/b/0", "/", "/a~0~1", "/a b"}) {
    EXPECT_EQ(parts_of_place(place, false).size(), 1u) << place;
  }
  for (const char* place : {"", "a", "/a~2", "/a~", "{/a}", "x{/a}"}) {
    EXPECT_TRUE(parts_of_place(place, false).empty()) << place;
  }
  EXPECT_EQ(parts_of_place("{/a}@{/b/c}", true).size(), 3u);
  for (const char* place : {"a", "{a}", "{/a", "/a}{", "{}", "}{/a}", "{/a}}"}) {
    const bool is_pointer = place[0] == '/';  // a brace may be in a member's name
    EXPECT_EQ(parts_of_place(place, true).empty(), !is_pointer) << place;
  }
}

TEST(DecoderMapping, SaysWhyARecordIsRefused) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {entering(R"({"device_id":"a",)"), ""},
      {R"({"device_id":"a","event_type":"x"})", ""},
      {"", "the record is empty"},
      {"[1]", "the record is an array, and one record is one event: [1]"},
      {R"({"device_id":"a","timestamp":1751957694})",
       "event_type is missing: looked for /event_type, /eventType"},
      {R"({"device_id":"a","event_type":null})", "event_type null is no text"},
      {entering("{"), "device_id is missing: looked for /device_id, /deviceID, /deviceId"},
      {entering(R"({"device_id":-1,)"),
       "device_id -1 is neither a text nor a whole number without sign"},
      {entering(R"({"device_id":"",)"),
       R"(device_id "" is not 1 to 256 bytes of plain UTF-8 text)"},
      {R"({"device_id":"a","event_type":"device_exit"})",
       "timestamp is missing: looked for /timestamp"},
      {R"({"device_id":"a","event_type":"device_exit","timestamp":"2025-07-08"})",
       R"(timestamp "2025-07-08" names a day and no time of day)"},
      {R"({"device_id":"a","event_type":"device_exit","timestamp":"2025-07-08T12:00:00"})",
       R"(timestamp "2025-07-08T12:00:00" names no time zone, such as Z or +02:00; input.time_zone gives it one)"},
      {R"({"device_id":"a","event_type":"device_exit","timestamp":946684800000})",
       "timestamp 946684800000 lies between 2010-01-01 and 2100 neither as s nor as ms, us or ns"},
      {R"({"device_id":"a","event_type":"device_exit","timestamp":3})",
       "timestamp 3 is before clock.earliest, 2010-01-01T00:00:00Z"},
      {R"({"device_id":"a","event_type":"device_exit","timestamp":[]})",
       "timestamp [ is neither a text nor a number"},
  };
  for (const auto& [record, reason] : cases) EXPECT_EQ(explained(record), reason) << record;
}

}  // namespace
}  // namespace dwell
