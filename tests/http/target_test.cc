#include "http/wire/target.h"

#include <gmock/gmock.h>

namespace dwell {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

using Segments = std::vector<std::string>;

TEST(Target, IsSplitOnSlashesThenDecodedOnce) {
  const std::pair<const char*, Segments> expectations[] = {
      {"/", {""}},
      {"/timeline/cam-1", {"timeline", "cam-1"}},
      {"/timeline/", {"timeline", ""}},
      {"//cam", {"", "cam"}},
      {"/timeline/a%2Fb", {"timeline", "a/b"}},
      {"/timeline/a%2fb", {"timeline", "a/b"}},
      {"/timeline/100%25", {"timeline", "100%"}},
      {"/timeline/%252F", {"timeline", "%2F"}},
      {"/timeline/a+b", {"timeline", "a+b"}},
      {"/timeline/a%20b", {"timeline", "a b"}},
      {"/timeline/.", {"timeline", "."}},
      {"/timeline/..", {"timeline", ".."}},
      {"/timeline/%2E%2E", {"timeline", ".."}},
      {"/timeline/T%C3%BCr", {"timeline", "T\u00fcr"}},
      {"/timeline/T\u00fcr", {"timeline", "T\u00fcr"}},
      {"/timeline/a%3Fb?limit=1", {"timeline", "a?b"}},
      {"/timeline/cam#end", {"timeline", "cam"}},
      {"/?/a/b", {""}},
  };
  for (const auto& [text, segments] : expectations) {
    const auto target = parse_target(text);
    ASSERT_TRUE(target) << text;
    EXPECT_EQ(target->segments, segments) << text;
  }
}

TEST(Target, ItsParametersAreDecodedOnceAndKeepTheirPlus) {
  const auto target = parse_target("/t?start=2025-07-08T12:00:00+02:00&name=a%26b%3Dc&&flag&x=1=2");
  ASSERT_TRUE(target);
  EXPECT_THAT(target->parameters,
              ElementsAre(Pair("start", "2025-07-08T12:00:00+02:00"), Pair("name", "a&b=c"),
                          Pair("flag", ""), Pair("x", "1=2")));
}

TEST(Target, WithoutAQueryHasNoParameters) {
  for (const char* text : {"/t", "/t?", "/t?#a=b", "/t#?a=b", "/t?&"}) {
    const auto target = parse_target(text);
    ASSERT_TRUE(target) << text;
    EXPECT_THAT(target->parameters, IsEmpty()) << text;
  }
}

TEST(Target, TheLastParameterOfANameCounts) {
  const auto target = parse_target("/t?limit=1&limit=2");
  ASSERT_TRUE(target);
  ASSERT_NE(target->parameter("limit"), nullptr);
  EXPECT_EQ(*target->parameter("limit"), "2");
  EXPECT_EQ(target->parameter("Limit"), nullptr);
}

TEST(Target, OthersAreRefused) {
  for (const char* text : {"", "*", "timeline", "?a=b", "/a%", "/a%2", "/a%zz", "/%2", "/t?a=%",
                           "/t?%4=1", "/t?a=%g0"}) {
    const auto target = parse_target(text);
    ASSERT_FALSE(target) << text;
    EXPECT_EQ(target.error().kind, ErrorKind::invalid) << text;
  }
}

TEST(Target, HasABoundedNumberOfParameters) {
  std::string text = "/t?";
  for (std::size_t i = 0; i < kMostParameters; ++i) text += "a=b&";
  EXPECT_TRUE(parse_target(text));
  EXPECT_FALSE(parse_target(text + "a=b"));
}

TEST(TimeParameter, MayBeEscapedNotAtAllOnceOrTwice) {
  const auto expected = parse_rfc3339("2025-07-08T10:00:00Z");
  for (const char* query :
       {"2025-07-08T10:00:00Z", "2025-07-08T12:00:00+02:00", "2025-07-08T12:00:00%2B02:00",
        "2025-07-08T12:00:00%252B02:00", "2025-07-08T12%3A00%3A00%2B02%3A00"}) {
    const auto target = parse_target(std::string("/t?at=") + query);
    ASSERT_TRUE(target) << query;
    EXPECT_EQ(parse_time_parameter(*target->parameter("at")), expected) << query;
  }
}

TEST(TimeParameter, OthersAreRefused) {
  for (const auto& text : {std::string(), std::string("1751932800000"), std::string("yesterday"),
                           std::string("2025-07-08T12:00:00"), std::string("2025-07-08T12:00:00%2"),
                           std::string(1000, '2')}) {
    EXPECT_EQ(parse_time_parameter(text), std::nullopt) << text;
  }
}

TEST(Target, ASchemeHasNoCase) {
  for (const char* start : {"http://a", "HTTP://a", "Https://a:1"}) {
    const auto target = parse_target(std::string(start) + "/timeline");
    ASSERT_TRUE(target) << start;
    EXPECT_EQ(target->segments, std::vector<std::string>{"timeline"}) << start;
  }
  for (const char* text : {"http", "HTTP:", "http:/", "HTTP://", "ftp://a/b"}) {
    EXPECT_FALSE(parse_target(text)) << text;
  }
}

}  // namespace
}  // namespace dwell
