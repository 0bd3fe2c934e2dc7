#include "file/json_cutter.h"

#include <gmock/gmock.h>
#include <random>

namespace dwell {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// The records of a text that comes in the given pieces; the last one is what is left.
std::vector<std::string> cut(const std::string& text, bool is_wrapped = false,
                             const std::vector<std::size_t>& pieces = {}) {
  JsonCutter cutter(is_wrapped);
  std::vector<std::string> records;
  const auto add = [&](const JsonCutter::Found& found) {
    const auto begin = static_cast<std::size_t>(found.begin);
    records.push_back(text.substr(begin, static_cast<std::size_t>(found.end) - begin));
  };
  std::size_t known = 0;
  auto piece = pieces.begin();
  while (known < text.size()) {
    known = piece == pieces.end() ? text.size() : std::min(text.size(), known + *piece++);
    for (;;) {
      const auto at = static_cast<std::size_t>(cutter.at());
      const auto found = cutter.next(std::string_view(text).substr(at, known - at));
      if (!found) break;
      add(*found);
    }
  }
  if (const auto found = cutter.finish()) add(*found);
  return records;
}

TEST(JsonCutter, CutsElementsOfArrays) {
  EXPECT_THAT(cut(R"([{"a":1},{"b":[{"c":"]}"},2]}])"),
              ElementsAre(R"({"a":1})", R"({"b":[{"c":"]}"},2]})"));
  EXPECT_THAT(cut("[\n  {\"a\": 1},\n  {\"b\": 2}\n]\n[{\"c\":3}]"),
              ElementsAre("{\"a\": 1}", "{\"b\": 2}", "{\"c\":3}"));
  EXPECT_THAT(cut("[]"), IsEmpty());
  EXPECT_THAT(cut("[\n]\n[ ]"), IsEmpty());
}

TEST(JsonCutter, CutsObjectsOverSeveralLines) {
  EXPECT_THAT(cut("{\n \"a\": 1\n}\n{\n \"b\": {\n  \"c\": \"\\\"}\"\n }\n}"),
              ElementsAre("{\n \"a\": 1\n}", "{\n \"b\": {\n  \"c\": \"\\\"}\"\n }\n}"));
  EXPECT_THAT(cut(R"({"a":1}{"b":2} {"c":3})"),
              ElementsAre(R"({"a":1})", R"({"b":2})", R"({"c":3})"));
}

TEST(JsonCutter, WhatStandsBetweenIsARecord) {
  EXPECT_THAT(cut("[{\"a\":1}, 7, null, \"x,]\", {\"b\":2}]"),
              ElementsAre("{\"a\":1}", "7", "null", "\"x,]\"", "{\"b\":2}"));
  EXPECT_THAT(cut("[{\"a\":1}}{\"b\":2}]"), ElementsAre("{\"a\":1}", "}", "{\"b\":2}"));
  EXPECT_THAT(cut("[{\"a\":1}\nlog line here\n{\"b\":2}]"),
              ElementsAre("{\"a\":1}", "log line here", "{\"b\":2}"));
}

TEST(JsonCutter, ABrokenObjectGivesWayToTheNext) {
  // Its end is missing.
  EXPECT_THAT(cut("[{\"a\":1,\n{\"b\":2},\n{\"c\":3}]"),
              ElementsAre("{\"a\":1,\n", "{\"b\":2}", "{\"c\":3}"));
  EXPECT_THAT(cut("[{\"p\":{\"x\":1},{\"b\":2},{\"c\":3}]"),
              ElementsAre("{\"p\":{\"x\":1},", "{\"b\":2}", "{\"c\":3}"));
  // A quote is missing, in one line and over several.
  EXPECT_THAT(cut("[{\"a\":\"x},{\"b\":\"2\"},{\"c\":\"3\"},{\"d\":\"4\"}]"),
              testing::Contains("{\"d\":\"4\"}"));
  EXPECT_THAT(cut("[\n{\"a\":\"x},\n{\"b\":2}\n]"), ElementsAre("{\"a\":\"x},\n", "{\"b\":2}"));
  EXPECT_THAT(cut("{\n \"a\": \"x,\n \"b\": 2\n}\n{\n \"c\": 3\n}\n"),
              ElementsAre("{\n \"a\": \"x,\n \"b\": 2\n}", "{\n \"c\": 3\n}"));
  // A comma is missing, a bracket is the wrong one.
  EXPECT_THAT(cut("[{\"a\":1 \"b\":2},{\"c\":3}]"), ElementsAre("{\"a\":1 \"b\":2}", "{\"c\":3}"));
  EXPECT_THAT(cut("[{\"a\":[1},{\"b\":2}]"), ElementsAre("{\"a\":[1}", "{\"b\":2}"));
  // What is not closed at the end.
  EXPECT_THAT(cut("[{\"a\":1},{\"b\":"), ElementsAre("{\"a\":1}", "{\"b\":"));
}

TEST(JsonCutter, AnObjectWithinABrokenOneIsNoRecord) {
  EXPECT_THAT(cut("[{\"a\":1 \"in\":{\"b\":2}},{\"c\":3}]"),
              ElementsAre("{\"a\":1 \"in\":{\"b\":2}}", "{\"c\":3}"));
}

TEST(JsonCutter, OfAWrappedTextOnlyTheElements) {
  EXPECT_THAT(cut("{\"events\":[{\"a\":1},{\"b\":2}],\"next\":\"x,}]{\"}\n"
                  "{ \"events\" : [ {\"events\":3} ] }\n{\"events\":[]}",
                  true),
              ElementsAre("{\"a\":1}", "{\"b\":2}", "{\"events\":3}"));
}

TEST(JsonCutter, KnowsWhetherTheArrayWasClosed) {
  for (const auto& [text, is_wrapped, is_closed] :
       std::vector<std::tuple<std::string, bool, bool>>{{"[{\"a\":1}]\n", false, true},
                                                        {"[{\"a\":1},", false, false},
                                                        {"[{\"a\":1}", false, false},
                                                        {"{\"events\":[{}]}", true, true},
                                                        {"{\"events\":[{}]", true, false}}) {
    JsonCutter cutter(is_wrapped);
    while (cutter.next(std::string_view(text).substr(static_cast<std::size_t>(cutter.at())))) {
    }
    EXPECT_EQ(cutter.is_closed(), is_closed) << text;
  }
}

TEST(JsonCutter, IsOneObject) {
  EXPECT_TRUE(is_one_object(" {\"a\":{}} \r"));
  for (const auto* text :
       {"", "{", "{\"a\":1", "{}{}", "{} x", "x {}", "[{}]", "1", "{\"a\":1,{}"}) {
    EXPECT_FALSE(is_one_object(text)) << text;
  }
}

// Texts of brackets, quotes and separators at random: however they are split, the same records come
// out; each begins behind the one before it, and cutting that begins behind a record goes on as if
// it had been there from the start.
TEST(JsonCutter, SplitsAndPlacesDoNotMatter) {
  constexpr std::string_view kPieces[] = {
      "{",  "}", "[", "]", ",",         ":",  "\"",    "\\",
      "\n", " ", "1", "x", "{\"a\":1}", ",{", "\"b\"", "{\"events\":[",
      "},{"};
  std::mt19937 random(7);
  const auto below = [&](std::size_t n) { return random() % n; };
  for (int round = 0; round < 20'000; ++round) {
    std::string text;
    for (std::size_t i = below(24); i > 0; --i) text += kPieces[below(std::size(kPieces))];
    const bool is_wrapped = below(2) == 0;
    const auto whole = cut(text, is_wrapped);
    std::vector<std::size_t> pieces;
    for (std::size_t i = 0; i < text.size(); ++i) pieces.push_back(1 + below(3));
    ASSERT_EQ(cut(text, is_wrapped, pieces), whole) << text;

    JsonCutter cutter(is_wrapped);
    Offset before = 0;
    for (std::size_t count = 1;; ++count) {
      const auto found =
          cutter.next(std::string_view(text).substr(static_cast<std::size_t>(cutter.at())));
      if (!found) break;
      ASSERT_LE(before, found->begin) << text;
      ASSERT_LT(found->begin, found->end) << text;
      ASSERT_LE(found->end, found->resume) << text;
      before = found->resume;
      const auto rest = cut(text.substr(static_cast<std::size_t>(before)), is_wrapped);
      ASSERT_EQ(
          std::vector<std::string>(whole.begin() + static_cast<std::ptrdiff_t>(count), whole.end()),
          rest)
          << text;
    }
  }
}

}  // namespace
}  // namespace dwell
