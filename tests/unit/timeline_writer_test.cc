#include <gtest/gtest.h>

#include "questions/timeline.h"

namespace dwell {
namespace {

constexpr auto kJson = Representation::json;
constexpr auto kNdjson = Representation::ndjson;
constexpr auto kCsv = Representation::csv;

const std::vector<Row> kRows = {{from_ms(1'000), 1, EventType::enter, 1},
                                {from_ms(2'250), 2, EventType::exit, 2}};

std::string written(Representation representation, std::string_view device,
                    const std::vector<Row>& rows, const std::optional<std::string>& next = {}) {
  TimelineWriter writer(representation, device);
  std::string out;
  writer.begin(out);
  for (const Row& row : rows) writer.add(row, out);
  writer.end(next, out);
  return out;
}

TEST(TimelineBody, Json) {
  EXPECT_EQ(written(kJson, "cam", {}), "{\"events\":[]}\n");
  EXPECT_EQ(written(kJson, "cam", kRows),
            R"({"events":[)"
            R"({"deviceID":"cam","eventType":"device_enter","timestamp":"1970-01-01T00:00:01Z"},)"
            R"({"deviceID":"cam","eventType":"device_exit","timestamp":"1970-01-01T00:00:02.250Z"})"
            "]}\n");
  EXPECT_EQ(written(kJson, "cam", {}, "abc"), "{\"events\":[],\"next\":\"abc\"}\n");
}

TEST(TimelineBody, Ndjson) {
  EXPECT_EQ(written(kNdjson, "cam", {}), "{\"end\":true,\"events\":0}\n");
  EXPECT_EQ(written(kNdjson, "cam", kRows),
            R"({"deviceID":"cam","eventType":"device_enter","timestamp":"1970-01-01T00:00:01Z"})"
            "\n"
            R"({"deviceID":"cam","eventType":"device_exit","timestamp":"1970-01-01T00:00:02.250Z"})"
            "\n"
            R"({"end":true,"events":2})"
            "\n");
}

TEST(TimelineBody, Csv) {
  EXPECT_EQ(written(kCsv, "cam", {}), "deviceID,eventType,timestamp\r\n# end,0\r\n");
  EXPECT_EQ(written(kCsv, "cam", kRows),
            "deviceID,eventType,timestamp\r\n"
            "\"cam\",device_enter,1970-01-01T00:00:01Z\r\n"
            "\"cam\",device_exit,1970-01-01T00:00:02.250Z\r\n"
            "# end,2\r\n");
}

TEST(TimelineBody, AnOddDeviceIsQuotedAsItsFormWants) {
  struct Expectation {
    const char* device;
    const char* json;
    const char* csv;
  };
  const Expectation expectations[] = {
      {"a\"b", R"("a\"b")", "\"a\"\"b\""},
      {"a\\b", R"("a\\b")", "\"a\\b\""},
      {"a,b", R"("a,b")", "\"a,b\""},
      {"T\u00fcr", "\"T\u00fcr\"", "\"T\u00fcr\""},
      {"# end,1", R"("# end,1")", "\"# end,1\""},
      // What spreadsheets take for formulas stays the id that it is.
      {"=1+1", R"("=1+1")", "\r\n\"=1+1\","},
      {"@SUM(A1)", "\"@SUM(A1)\"", "\r\n\"@SUM(A1)\","},
      {"-1", R"("-1")", "\r\n\"-1\","},
  };
  for (const auto& [device, json, csv] : expectations) {
    EXPECT_NE(written(kJson, device, kRows).find(json), std::string::npos) << device;
    EXPECT_NE(written(kNdjson, device, kRows).find(json), std::string::npos) << device;
    EXPECT_NE(written(kCsv, device, kRows).find(csv), std::string::npos) << device;
  }
}

// No beginning of a body may pass for a whole one.
TEST(TimelineBody, OnlyTheWholeEndsWithTheMark) {
  const std::pair<Representation, const char*> marks[] = {
      {kJson, "]}\n"}, {kNdjson, "{\"end\":true,\"events\":2}\n"}, {kCsv, "\r\n# end,2\r\n"}};
  for (const auto& [representation, mark] : marks) {
    const auto whole = written(representation, "a]}\n# end,2", kRows);
    EXPECT_TRUE(whole.ends_with(mark)) << mark;
    for (std::size_t length = 0; length < whole.size(); ++length) {
      EXPECT_FALSE(whole.substr(0, length).ends_with(mark)) << mark << length;
    }
  }
}

}  // namespace
}  // namespace dwell
