#include "core/decoder.h"

#include <cstring>
#include <fmt/format.h>
#include <gtest/gtest.h>

namespace dwell {
namespace {

using namespace std::string_literals;

constexpr Timestamp kNow = from_ms(7000);

// A decoded record that owns what it points to.
struct Reading {
  Outcome outcome;
  std::string device;
  std::int64_t ms;
  EventType type;
  std::string ignored_type;
};

Reading read(const std::string& bytes, ClockSource clock_source = ClockSource::event) {
  Decoder decoder(clock_source);
  Record record;
  record.bytes = bytes;
  record.now = kNow;
  const Decoded decoded = decoder.decode(record);
  return {decoded.outcome, std::string(decoded.event.device), to_ms(decoded.event.timestamp),
          decoded.event.type, std::string(decoded.ignored_type)};
}

std::string outcome(const std::string& bytes) {
  return std::string(name(read(bytes).outcome));
}

// Events with one part to vary.
std::string with_id(const std::string& inside) {
  return R"({"device_id":")" + inside + R"(","event_type":"device_enter","timestamp":1000})";
}
std::string with_time(const std::string& token) {
  return R"({"device_id":"cam-1","event_type":"device_exit","timestamp":)" + token + "}";
}
std::string with_type(const std::string& inside) {
  return R"({"device_id":"cam-1","event_type":")" + inside + R"(","timestamp":1000})";
}
std::string with_member(const std::string& member) {
  return R"({"device_id":"cam-1",)" + member + R"(,"event_type":"device_enter","timestamp":1000})";
}
std::string with_value(const std::string& value) {
  return with_member(R"("more":)" + value);
}

std::string quoted(const std::string& text) {
  return fmt::format("\"{}\"", text);
}

const std::string kValid = with_id("cam-1");

TEST(Decoder, ReadsAnEvent) {
  const auto enter = read(with_id("cam-1"));
  EXPECT_EQ(enter.outcome, Outcome::accepted);
  EXPECT_EQ(enter.device, "cam-1");
  EXPECT_EQ(enter.type, EventType::enter);
  EXPECT_EQ(enter.ms, 1000);
  const auto exit = read(with_time("2000"));
  EXPECT_EQ(exit.outcome, Outcome::accepted);
  EXPECT_EQ(exit.type, EventType::exit);
  EXPECT_EQ(exit.ms, 2000);
}

TEST(Decoder, EveryPrefixIsMalformed) {
  for (std::size_t length = 0; length < kValid.size(); ++length) {
    EXPECT_EQ(outcome(kValid.substr(0, length)), "malformed") << length;
  }
}

TEST(Decoder, ARecordWithoutBytesIsMalformed) {
  EXPECT_EQ(Decoder(ClockSource::event).decode(Record{}).outcome, Outcome::malformed);
}

TEST(Decoder, OnlyTheFourJsonSpacesMayStandAround) {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string text(1, static_cast<char>(byte));
    const bool is_space = text == " " || text == "\t" || text == "\n" || text == "\r";
    const auto expected = is_space ? "accepted" : "malformed";
    EXPECT_EQ(outcome(kValid + text), expected) << "behind: " << byte;
    EXPECT_EQ(outcome(text + kValid), expected) << "in front: " << byte;
    EXPECT_EQ(outcome("{" + text + kValid.substr(1)), expected) << "inside: " << byte;
    EXPECT_EQ(outcome(with_member(fmt::format(R"("a"{}:1)", text))), expected) << "key: " << byte;
    EXPECT_EQ(outcome(with_value(R"("b")" + text)), expected) << "behind a string: " << byte;
    EXPECT_EQ(outcome(with_value("true" + text)), expected) << "behind a literal: " << byte;
    EXPECT_EQ(outcome(with_value("[]" + text)), expected) << "behind an array: " << byte;
  }
}

TEST(Decoder, BehindANumberOnlySpacesAndDigitsMayStand) {
  for (int byte = 0; byte < 256; ++byte) {
    const auto c = static_cast<char>(byte);
    const bool fits = std::string_view(" \t\n\r0123456789").find(c) != std::string_view::npos;
    const auto expected = fits ? "accepted" : "malformed";
    EXPECT_EQ(outcome(with_time("1000"s + c)), expected) << byte;
    EXPECT_EQ(outcome(with_value("1000"s + c)), expected) << byte;
  }
}

TEST(Decoder, BytesInsideAString) {
  for (int byte = 0; byte < 256; ++byte) {
    const auto text = "x"s + static_cast<char>(byte) + "y";
    const bool is_json = byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
    EXPECT_EQ(outcome(with_value(quoted(text))), is_json ? "accepted" : "malformed") << byte;
    EXPECT_EQ(outcome(with_member(quoted(text) + ":1")), is_json ? "accepted" : "malformed")
        << byte;
    EXPECT_EQ(outcome(with_id(text)), !is_json       ? "malformed"
                                      : byte == 0x7f ? "invalid_device_id"
                                                     : "accepted")
        << byte;
  }
}

TEST(Decoder, BytesBehindABackslash) {
  for (int byte = 0; byte < 256; ++byte) {
    const auto text = "x\\"s + static_cast<char>(byte) + "y";
    const bool is_escape = byte != 0 && std::strchr("\"\\/bfnrt", byte) != nullptr;
    const bool is_control = is_escape && std::strchr("bfnrt", byte) != nullptr;
    EXPECT_EQ(outcome(with_value(quoted(text))), is_escape ? "accepted" : "malformed") << byte;
    EXPECT_EQ(outcome(with_member(quoted(text) + ":1")), is_escape ? "accepted" : "malformed")
        << byte;
    EXPECT_EQ(outcome(with_id(text)), !is_escape   ? "malformed"
                                      : is_control ? "invalid_device_id"
                                                   : "accepted")
        << byte;
    EXPECT_EQ(outcome(with_type(text)), is_escape ? "ignored" : "malformed") << byte;
  }
}

struct Case {
  std::string bytes;
  const char* outcome;
};

void expect_all(const std::vector<Case>& cases) {
  for (const auto& [bytes, expected] : cases) EXPECT_EQ(outcome(bytes), expected) << bytes;
}

void expect_each(const std::vector<std::string>& all, const char* expected,
                 std::string (*make)(const std::string&)) {
  for (const auto& one : all) EXPECT_EQ(outcome(make(one)), expected) << one;
}

TEST(Decoder, OnlyAnObjectIsAnEvent) {
  expect_all({{"", "malformed"},
              {" ", "malformed"},
              {"{}", "malformed"},
              {"[]", "malformed"},
              {"[" + kValid + "]", "malformed"},
              {"null", "malformed"},
              {"true", "malformed"},
              {"1", "malformed"},
              {R"("device_enter")", "malformed"},
              {"not JSON", "malformed"},
              {"\xef\xbb\xbf" + kValid, "malformed"},
              {"\0"s + kValid, "malformed"},
              {kValid + "\0"s, "malformed"},
              {std::string(300, '\0'), "malformed"},
              {kValid + kValid, "malformed"},
              {kValid + "\n" + kValid, "malformed"},
              {kValid + "}", "malformed"},
              {kValid + ",", "malformed"},
              {kValid + "]", "malformed"},
              {kValid + R"("")", "malformed"}});
}

TEST(Decoder, PunctuationMustBeRight) {
  expect_all({{R"({"event_type":"device_enter",})", "malformed"},
              {R"({,"event_type":"device_enter"})", "malformed"},
              {R"({"event_type":"device_enter",,"a":1})", "malformed"},
              {R"({"event_type""device_enter"})", "malformed"},
              {R"({"event_type":"device_enter";"a":1})", "malformed"},
              {R"({"event_type"="device_enter"})", "malformed"},
              {R"({event_type:"device_enter"})", "malformed"},
              {R"({"event_type":})", "malformed"},
              {R"({"event_type"})", "malformed"},
              {R"({"event_type":"device_enter"])", "malformed"},
              {R"({"event_type":"heartbeat" "a":1})", "malformed"},
              {R"({"event_type":"heartbeat","a":1 2})", "malformed"},
              {R"({"event_type":"heartbeat","a"})", "malformed"},
              {R"({"event_type":"heartbeat",1:2})", "malformed"},
              {R"({"event_type":"heartbeat"}//)", "malformed"},
              {R"({'event_type':'heartbeat'})", "malformed"}});
}

TEST(Decoder, AcceptsEveryJsonValueInMembersNobodyReads) {
  expect_each({"0",
               "-0",
               "1",
               "-1",
               "10",
               "1.5",
               "-1.5e10",
               "1E+2",
               "1e-2",
               "0.0",
               "0e0",
               "1e400",
               "-1e-400",
               "123456789012345678901234567890",
               "true",
               "false",
               "null",
               R"("")",
               R"("\u0000")",
               R"("\ud800")",
               R"("\udc00\ud800")",
               R"("\ud83d\ude00")",
               "\"\x7f\"",
               "\"\xc2\x80\"",
               "\"\xf4\x8f\xbf\xbf\"",
               "[]",
               "{}",
               "[[]]",
               "[{}]",
               R"({"":{}})",
               "[1,2]",
               R"([ "a" , null , { "b" : [ ] } ])",
               R"({"a":1,"a":2})",
               R"({"device_id":"x","event_type":"heartbeat"})"},
              "accepted", with_value);
}

TEST(Decoder, RefusesEveryOtherValueInMembersNobodyReads) {
  const std::vector<std::string> bad = {
      "01",
      "-01",
      "00",
      "+1",
      "-",
      ".5",
      "1.",
      "1.e5",
      "1e",
      "1e+",
      "1e5.0",
      "- 1",
      "0x10",
      "1_000",
      "Infinity",
      "-Infinity",
      "NaN",
      "True",
      "nul",
      "nulll",
      "tru",
      "truefalse",
      "undefined",
      "'a'",
      "a",
      R"("a)",
      R"(a")",
      R"("a""b")",
      R"("\u12")",
      R"("\u12g4")",
      R"("\U0041")",
      R"("\x41")",
      R"("\0")",
      R"("\a")",
      R"("\')",
      "[",
      "]",
      "[1,]",
      "[,1]",
      "[1 2]",
      "[1}",
      "[1,,2]",
      "{\"a\"}",
      "{\"a\":}",
      "{\"a\":1,}",
      "{a:1}",
      "{\"a\" 1}",
      "{\"a\":1]",
      "{1:1}",
      "{\"a\":01}",
      "[01]",
      "[+1]",
      "[tru]",
      R"([{"a":[{"b":[1.]}]}])",
      R"(["\u12"])",
      R"({"\q":1})",
      R"([{"\u00":1}])",
      "\"\t\"",
      "\"\n\"",
      "[\"\x1f\"]",
      "",
  };
  expect_each(bad, "malformed", with_value);
}

TEST(Decoder, AllTextIsUtf8) {
  const std::vector<std::string> bad = {"\x80",
                                        "\xbf",
                                        "\xc3",
                                        "\xc3(",
                                        "\xc0\x80",
                                        "\xc1\xbf",
                                        "\xe0\x80\x80",
                                        "\xe2\x82",
                                        "\xed\xa0\x80",
                                        "\xed\xbf\xbf",
                                        "\xf0\x80\x80\x80",
                                        "\xf0\x9f\x98",
                                        "\xfe",
                                        "\xff",
                                        "\xf4\x90\x80\x80",
                                        "\xf8\x88\x80\x80\x80"};
  for (const auto& text : bad) {
    EXPECT_EQ(outcome(with_id(text)), "malformed") << testing::PrintToString(text);
    EXPECT_EQ(outcome(with_value(quoted(text))), "malformed") << testing::PrintToString(text);
    EXPECT_EQ(outcome(with_member(quoted(text) + ":1")), "malformed");
    EXPECT_EQ(outcome(kValid + text), "malformed") << testing::PrintToString(text);
  }
}

TEST(Decoder, NestingIsBounded) {
  const auto nested = [](int levels, const std::string& open, const std::string& close) {
    std::string value;
    for (int i = 0; i < levels; ++i) value += open;
    value += "1";
    for (int i = 0; i < levels; ++i) value += close;
    return with_value(value);
  };
  // The event itself is the first level.
  const int inner = Decoder::kDeepestNesting - 1;
  EXPECT_EQ(outcome(nested(inner, "[", "]")), "accepted");
  EXPECT_EQ(outcome(nested(inner, "{\"a\":", "}")), "accepted");
  EXPECT_EQ(outcome(nested(inner + 1, "[", "]")), "malformed");
  EXPECT_EQ(outcome(nested(inner + 1, "{\"a\":", "}")), "malformed");
  EXPECT_EQ(outcome(nested(100'000, "[", "]")), "malformed");
  EXPECT_EQ(outcome(nested(100'000, "{\"a\":", "}")), "malformed");
  EXPECT_EQ(outcome(std::string(100'000, '[')), "malformed");
}

TEST(Decoder, TheLastOfDuplicateMembersWins) {
  const auto last = read(
      R"({"device_id":"a","timestamp":1,"event_type":"heartbeat","device_id":"b","timestamp":2,)"
      R"("event_type":"device_exit"})");
  EXPECT_EQ(last.outcome, Outcome::accepted);
  EXPECT_EQ(last.device, "b");
  EXPECT_EQ(last.ms, 2);
  EXPECT_EQ(last.type, EventType::exit);
  expect_all({{with_member(R"("event_type":1)"), "accepted"},
              {with_member(R"("timestamp":"never")"), "accepted"},
              {R"({"event_type":"device_exit","event_type":1})", "malformed"},
              {R"({"event_type":"device_exit","event_type":{}})", "malformed"},
              {R"({"event_type":"device_exit","event_type":"heartbeat"})", "ignored"},
              // An earlier one must be JSON all the same.
              {with_member(R"("timestamp":01)"), "malformed"},
              {with_member(R"("device_id":"\q")"), "malformed"}});
}

TEST(Decoder, KeysMayBeEscapedAndMustBeExact) {
  EXPECT_EQ(read(R"({"\u0064evice_id":"cam-1","event\u005ftype":"device_exit",)"
                 R"("\u0074\u0069\u006d\u0065stamp":5})")
                .ms,
            5);
  expect_all({
      {with_member(R"("device_id\u0000":1)"), "accepted"},
      {with_member(R"("\ud800":1)"), "accepted"},
      {with_member(R"("device\"_id":1)"), "accepted"},
      {with_member(R"("Device_ID":1)"), "accepted"},
      {with_member(R"("deviceID":1)"), "accepted"},
      {with_member(R"("":1)"), "accepted"},
      {R"({"device_id ":"cam-1","event_type":"device_enter","timestamp":1})", "invalid_device_id"},
      {R"({"device_id":"cam-1","event_type":"device_enter","timestamp\u0000":1})",
       "invalid_timestamp"},
      {R"({"device_id\\":"cam-1","event_type":"device_enter","timestamp":1})", "invalid_device_id"},
  });
}

TEST(Decoder, UnescapesIds) {
  const std::vector<std::pair<std::string, std::string>> ids = {
      {"cam-1", "cam-1"},
      {R"(\u0063am-1)", "cam-1"},
      {R"(a\/b)", "a/b"},
      {R"(a\"b)", "a\"b"},
      {R"(a\\b)", "a\\b"},
      {R"(a\\u0041)", "a\\u0041"},
      {R"(\u00e9)", "\xc3\xa9"},
      {R"(\u00E9)", "\xc3\xa9"},
      {R"(\u00a0)", "\xc2\xa0"},
      {R"(\u20ac)", "\xe2\x82\xac"},
      {R"(\ufffd\uffff)", "\xef\xbf\xbd\xef\xbf\xbf"},
      {R"(\ud83d\ude00)", "\xf0\x9f\x98\x80"},
      {R"(\udbff\udfff)", "\xf4\x8f\xbf\xbf"},
      {"\xc2\xa0", "\xc2\xa0"},
      {"\xe2\x80\xa8", "\xe2\x80\xa8"},
      {" ", " "},
  };
  for (const auto& [written, meant] : ids) {
    const auto reading = read(with_id(written));
    EXPECT_EQ(reading.outcome, Outcome::accepted) << written;
    EXPECT_EQ(reading.device, meant) << written;
  }
}

TEST(Decoder, RefusesIdsThatAreNoPlainText) {
  expect_each({"",
               R"(\u0000)",
               R"(\u001f)",
               R"(\u007f)",
               R"(\u0080)",
               R"(\u009F)",
               R"(a\nb)",
               "\x7f",
               "\xc2\x80",
               "a\xc2\x9f",
               R"(\ud800)",
               R"(\udbff)",
               R"(\udc00)",
               R"(\udfff)",
               R"(a\ud83d)",
               R"(\ud83da)",
               R"(\ud83d\u0041)",
               R"(\ud83d\ud83d)",
               R"(\ude00\ud83d)",
               R"(\ud83d\n)",
               R"(\ud83d\\ude00)",
               R"(\ud83d\ud83d\ude00)"},
              "invalid_device_id", with_id);
}

TEST(Decoder, AnIdHas1To256Bytes) {
  EXPECT_EQ(outcome(with_id(std::string(256, 'a'))), "accepted");
  EXPECT_EQ(outcome(with_id(std::string(257, 'a'))), "invalid_device_id");
  EXPECT_EQ(outcome(with_id(std::string(100'000, 'a'))), "invalid_device_id");
  std::string two_bytes_each;
  for (int i = 0; i < 128; ++i) two_bytes_each += "\\u00e9";
  EXPECT_EQ(outcome(with_id(two_bytes_each)), "accepted");
  EXPECT_EQ(outcome(with_id(two_bytes_each + "a")), "invalid_device_id");
}

TEST(Decoder, AnIdIsAString) {
  for (const std::string value : {"null", "1", "true", "[]", R"(["cam-1"])", "{}"}) {
    EXPECT_EQ(outcome(R"({"event_type":"device_enter","timestamp":1,"device_id":)" + value + "}"),
              "invalid_device_id");
  }
}

TEST(Decoder, ReadsTimes) {
  const std::vector<std::pair<std::string, std::int64_t>> times = {
      {"0", 0},
      {"-0", 0},
      {"1000", 1000},
      {"253402300799999", 253'402'300'799'999},
      {R"("1970-01-01T00:00:01Z")", 1000},
      {R"("1970-01-01T00:00:01.5+00:00")", 1500},
      {R"("1970-01-01\u005400:00:02\u005A")", 2000},
  };
  for (const auto& [token, ms] : times) {
    const auto reading = read(with_time(token));
    EXPECT_EQ(reading.outcome, Outcome::accepted) << token;
    EXPECT_EQ(reading.ms, ms) << token;
  }
}

TEST(Decoder, RefusesTimesThatAreJsonAndNoTime) {
  expect_each({"null",
               "true",
               "[]",
               "[1000]",
               "{}",
               "-1",
               "1e3",
               "1E3",
               "5.0",
               "1000.0",
               "0.0",
               "-0.0",
               "1e400",
               "1e-400",
               "253402300800000",
               "9223372036854775807",
               "9223372036854775808",
               "18446744073709551616",
               "18446744073709552616",
               "-9223372036854775808",
               "-9223372036854775809",
               "100000000000000000000000000000000000000000000",
               R"("")",
               R"("1000")",
               R"("now")",
               R"("1970-01-01")",
               R"("1970-01-01T00:00:60Z")",
               R"("1970-01-01T00:00:00Z\u0000")",
               R"("\ud800")",
               R"("1970-01-01T00:00:00\ud83d\ude00")"},
              "invalid_timestamp", with_time);
}

TEST(Decoder, RefusesTimesThatAreNoJson) {
  expect_each({"01000", "-01", "+1000", "1000.", ".5", "1e", "0x3e8", "1,000", "1 000", "--1",
               R"("1000)", "1000ms", "'1000'", "", "-"},
              "malformed", with_time);
}

TEST(Decoder, OtherTypesAreIgnoredBeforeIdAndTimeAreLookedAt) {
  const std::vector<std::pair<std::string, std::string>> types = {
      {"heartbeat", "heartbeat"},
      {R"(heart\u0062eat)", "heartbeat"},
      {"", ""},
      {"device_enter ", "device_enter "},
      {"DEVICE_ENTER", "DEVICE_ENTER"},
      {R"(a\nb)", "a\nb"},
      {R"(device_enter\u0000)", "device_enter\0"s},
  };
  for (const auto& [written, meant] : types) {
    const auto reading = read(R"({"event_type":")" + written + R"(","device_id":0})");
    EXPECT_EQ(reading.outcome, Outcome::ignored) << written;
    EXPECT_EQ(reading.ignored_type, meant) << written;
  }
  EXPECT_EQ(outcome(R"({"event_type":"\ud800"})"), "ignored");
  EXPECT_EQ(outcome(with_type(R"(device\u005Fexit)")), "accepted");
}

TEST(Decoder, ATypeIsAString) {
  for (const std::string value : {"null", "1", "true", "[]", R"(["device_enter"])", "{}"}) {
    EXPECT_EQ(outcome(R"({"device_id":"cam-1","timestamp":1,"event_type":)" + value + "}"),
              "malformed");
  }
}

TEST(Decoder, TheIdIsJudgedBeforeTheTime) {
  EXPECT_EQ(outcome(R"({"event_type":"device_enter"})"), "invalid_device_id");
  EXPECT_EQ(outcome(R"({"event_type":"device_enter","device_id":"a"})"), "invalid_timestamp");
}

TEST(Decoder, ATruncatedRecordIsTooLargeWhateverItSays) {
  Decoder decoder(ClockSource::event);
  Record record;
  record.bytes = kValid;
  record.truncated_from = 5000;
  EXPECT_EQ(decoder.decode(record).outcome, Outcome::too_large);
}

TEST(Decoder, ReceivedClockTakesTheReceiveTimeAndNeedsNoOther) {
  for (const std::string time : {"1", "null", "1e400", R"("x")", "[]"}) {
    const auto reading = read(with_time(time), ClockSource::received);
    EXPECT_EQ(reading.outcome, Outcome::accepted) << time;
    EXPECT_EQ(reading.ms, to_ms(kNow)) << time;
  }
  EXPECT_EQ(read(R"({"device_id":"a","event_type":"device_enter"})", ClockSource::received).outcome,
            Outcome::accepted);
  EXPECT_EQ(read(with_time("01"), ClockSource::received).outcome, Outcome::malformed);
}

TEST(Decoder, UnescapedTextLivesUntilReset) {
  Decoder decoder(ClockSource::event);
  std::vector<std::string> records;
  for (int i = 0; i < 500; ++i) records.push_back(with_id(fmt::format(R"(\u0063am-{})", i)));
  std::vector<std::string_view> ids;
  for (const auto& bytes : records) {
    Record record;
    record.bytes = bytes;
    ids.push_back(decoder.decode(record).event.device);
  }
  for (int i = 0; i < 500; ++i) EXPECT_EQ(ids[i], fmt::format("cam-{}", i));
}

TEST(Decoder, IsNotMisledByWhatALongerRecordLeftBehind) {
  Decoder decoder(ClockSource::event);
  const auto decode = [&](const std::string& bytes) {
    Record record;
    record.bytes = bytes;
    return decoder.decode(record).outcome;
  };
  EXPECT_EQ(decode(with_value(quoted(std::string(100'000, 'x')))), Outcome::accepted);
  for (std::size_t length = 0; length < kValid.size(); ++length) {
    EXPECT_EQ(decode(kValid), Outcome::accepted);
    EXPECT_EQ(decode(kValid.substr(0, length)), Outcome::malformed) << length;
  }
}

TEST(PlainText, IsUtf8WithoutControls) {
  for (const auto& text : {""s, "a"s, " "s, "\xc2\xa0"s, "\xc3\x80"s, "\xe2\x80\xa8"s,
                           "\xf0\x9f\x98\x80"s, "a\xcc\x81"s, "\xc3\x82\xc3\x80"s}) {
    EXPECT_TRUE(is_plain_text(text)) << testing::PrintToString(text);
  }
  for (const auto& text : {"\0"s, "a\x1f"s, "\x7f"s, "\xc2\x80"s, "a\xc2\x9f"s, "\xc2"s, "\x80"s,
                           "\xed\xa0\x80"s, "\xc0\xaf"s}) {
    EXPECT_FALSE(is_plain_text(text)) << testing::PrintToString(text);
  }
}

TEST(DeviceId, Has1To256BytesOfPlainText) {
  EXPECT_FALSE(is_valid_device_id(""));
  EXPECT_TRUE(is_valid_device_id("a"));
  EXPECT_TRUE(is_valid_device_id(std::string(kLongestDeviceId, 'a')));
  EXPECT_FALSE(is_valid_device_id(std::string(kLongestDeviceId + 1, 'a')));
  EXPECT_FALSE(is_valid_device_id("a\tb"));
}

}  // namespace
}  // namespace dwell
