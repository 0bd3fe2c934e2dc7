#include "core/decoder.h"

#include <fmt/format.h>

#include "tests/unit/decoder_reading.h"

namespace dwell {
namespace {

using namespace std::string_literals;

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

TEST(Decoder, ARecordWithoutBytesIsMalformed) {
  EXPECT_EQ(Decoder(rule_1()).decode(Record{}).outcome, Outcome::malformed);
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
  Decoder decoder{Rule()};
  Record record;
  record.bytes = kValid;
  record.truncated_from = 5000;
  EXPECT_EQ(decoder.decode(record).outcome, Outcome::too_large);
}

TEST(Decoder, ReceivedClockTakesTheReceiveTimeAndNeedsNoOther) {
  for (const std::string time : {"1", "null", "1e400", R"("x")", "[]"}) {
    const auto reading = read(with_time(time), rule_1(ClockSource::received));
    EXPECT_EQ(reading.outcome, Outcome::accepted) << time;
    EXPECT_EQ(reading.ms, to_ms(kNow)) << time;
  }
  EXPECT_EQ(read(R"({"device_id":"a","event_type":"device_enter"})", rule_1(ClockSource::received))
                .outcome,
            Outcome::accepted);
  EXPECT_EQ(read(with_time("01"), rule_1(ClockSource::received)).outcome, Outcome::malformed);
}

TEST(Decoder, UnescapedTextLivesUntilReset) {
  Decoder decoder{Rule()};
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
