#include "app/process/log_formats.h"

#include <boost/json/parse.hpp>
#include <climits>
#include <gmock/gmock.h>

#include "app/process/log_context.h"

namespace dwell {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::chrono::milliseconds kTime{1'751'954'400'007};

std::string line(spdlog::formatter& form, std::string_view text,
                 std::chrono::milliseconds time = kTime) {
  const spdlog::details::log_msg message(spdlog::log_clock::time_point(time), {}, "dwell",
                                         spdlog::level::warn, {text.data(), text.size()});
  spdlog::memory_buf_t out;
  form.format(message, out);
  return {out.data(), out.size()};
}

std::string json(std::string_view text) {
  return line(*json_lines(), text);
}

// The message as a reader of JSON gets it; a line that is none fails the test.
std::string message_of(const std::string& line) {
  boost::json::error_code error;
  const auto value = boost::json::parse(line, error);
  EXPECT_FALSE(error) << line;
  return error ? "" : std::string(value.at("message").as_string());
}

TEST(LogFormats, TextHasTimeLevelAndMessage) {
  EXPECT_EQ(line(*text_lines(), "a\nb"), "2025-07-08T06:00:00.007Z warning a\\x0ab\n");
}

TEST(LogFormats, JsonHasTheSameAsMembers) {
  EXPECT_EQ(json("ready: 3 devices"),
            R"({"time":"2025-07-08T06:00:00.007Z","level":"warning","message":"ready: 3 devices"})"
            "\n");
  EXPECT_THAT(line(*json_lines(), "", std::chrono::seconds(1'751'954'400)),
              HasSubstr(R"("time":"2025-07-08T06:00:00.000Z")"));
}

TEST(LogFormats, JsonSaysTheTaskWhereThereIsOne) {
  log_context().task = "member 0";
  EXPECT_THAT(json("a"), EndsWith(R"("message":"a","task":"member 0"})"
                                  "\n"));
  log_context().task = "";
  EXPECT_THAT(json("a"), Not(HasSubstr("task")));
}

TEST(LogFormats, JsonSaysTheSpanWhereThereIsOne) {
  log_context().span = parse_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  EXPECT_THAT(json("a"), EndsWith(R"("message":"a","trace_id":"0af7651916cd43dd8448eb211c80319c",)"
                                  R"("span_id":"b7ad6b7169203331"})"
                                  "\n"));
  log_context().span.reset();
  EXPECT_THAT(json("a"), Not(HasSubstr("trace_id")));
}

TEST(LogFormats, WhateverANameHoldsJsonIsOneValidLine) {
  for (const std::string_view name : {"\"}\n{\"level\":\"error", "a\\", "\x1b[2J", "\xff\xfe",
                                      "\xe2\x80\xae", "\xc3\xa9", "\x7f"}) {
    const auto one = json(fmt::format("cannot read {}", name));
    EXPECT_EQ(one.find('\n'), one.size() - 1) << one;
    EXPECT_THAT(message_of(one), HasSubstr("cannot read "));
  }
  EXPECT_EQ(message_of(json("\"\n\xff\xc3\xa9")), "\"\\x0a\\xff\xc3\xa9");
}

TEST(LogFormats, JsonLinesAreNoLongerThanWhatAPipeTakesWhole) {
  for (const std::string_view unit :
       {"x", "\"", "\\", "\n", "\xff", "\xc3\xa9", "\xf0\x9f\x98\x80"}) {
    std::string text;
    for (int i = 0; i < 10'000; ++i) text += unit;
    const auto one = json(text);
    EXPECT_LE(one.size(), std::size_t{PIPE_BUF});
    EXPECT_GE(one.size(), std::size_t{PIPE_BUF} - 600);
    EXPECT_THAT(message_of(one), EndsWith("..."));
  }
  const std::string fits(3'584, 'x');
  EXPECT_EQ(message_of(json(fits)), fits);
  EXPECT_EQ(message_of(json(fits + "y")), fits + "...");
}

}  // namespace
}  // namespace dwell
