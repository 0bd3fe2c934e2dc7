// The decoder's strictness: a record is valid JSON as a whole or malformed.
#include <cstring>

#include "tests/unit/decoder_reading.h"

namespace dwell {
namespace {

using namespace std::string_literals;

TEST(DecoderJson, EveryPrefixIsMalformed) {
  for (std::size_t length = 0; length < kValid.size(); ++length) {
    EXPECT_EQ(outcome(kValid.substr(0, length)), "malformed") << length;
  }
}

TEST(DecoderJson, OnlyTheFourJsonSpacesMayStandAround) {
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

TEST(DecoderJson, BehindANumberOnlySpacesAndDigitsMayStand) {
  for (int byte = 0; byte < 256; ++byte) {
    const auto c = static_cast<char>(byte);
    const bool fits = std::string_view(" \t\n\r0123456789").find(c) != std::string_view::npos;
    const auto expected = fits ? "accepted" : "malformed";
    EXPECT_EQ(outcome(with_time("1000"s + c)), expected) << byte;
    EXPECT_EQ(outcome(with_value("1000"s + c)), expected) << byte;
  }
}

TEST(DecoderJson, BytesInsideAString) {
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

// Strings are looked at eight bytes at a time, and the last ones of a record singly.
TEST(DecoderJson, BytesAtTheEndOfAStringOfAnyLength) {
  for (const std::string behind : {"}", ",\"timestamp\":1000}"}) {
    for (std::size_t length = 0; length < 20; ++length) {
      for (int byte = 0; byte < 256; ++byte) {
        const auto record = R"({"timestamp":1000,"event_type":"device_enter","device_id":")" +
                            std::string(length, 'x') + static_cast<char>(byte) + '"' + behind;
        const bool is_json = byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
        EXPECT_EQ(outcome(record), !is_json       ? "malformed"
                                   : byte == 0x7f ? "invalid_device_id"
                                                  : "accepted")
            << length << ' ' << byte << ' ' << behind;
      }
    }
  }
}

TEST(DecoderJson, BytesBehindABackslash) {
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

TEST(DecoderJson, OnlyAnObjectIsAnEvent) {
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

TEST(DecoderJson, PunctuationMustBeRight) {
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

TEST(DecoderJson, AcceptsEveryJsonValueInMembersNobodyReads) {
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

TEST(DecoderJson, RefusesEveryOtherValueInMembersNobodyReads) {
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

TEST(DecoderJson, AllTextIsUtf8) {
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

TEST(DecoderJson, NestingIsBounded) {
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

TEST(DecoderJson, IsNotMisledByWhatALongerRecordLeftBehind) {
  Decoder decoder(rule_1());
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

}  // namespace
}  // namespace dwell
