// Durations, sizes and counts, as people write and read them.
#include "app/settings/units.h"

#include <gmock/gmock.h>

namespace dwell {
namespace {

using ::testing::ElementsAre;

TEST(Units, DurationsComeBackAsTheyWere) {
  for (const char* text : {"0ms", "1ms", "999ms", "1s", "90s", "5min", "24h", "30d", "36500d"}) {
    const auto duration = parse_duration(text);
    ASSERT_TRUE(duration) << text;
    EXPECT_EQ(parse_duration(format_duration(*duration)), duration) << text;
  }
  EXPECT_EQ(parse_duration("90s"), Milliseconds{90'000});
  EXPECT_EQ(parse_duration("2min"), Milliseconds{120'000});
  EXPECT_EQ(parse_duration("1h"), Milliseconds{3'600'000});
  EXPECT_EQ(parse_duration("1d"), Milliseconds{86'400'000});
  EXPECT_EQ(format_duration(Milliseconds{120'000}), "2min");
  EXPECT_EQ(format_duration(Milliseconds{90'000}), "90s");
  EXPECT_EQ(format_duration(Milliseconds{1'500}), "1500ms");
}

TEST(Units, OnlyANumberWithAUnitIsADuration) {
  for (const char* text : {"", "5", "s", "-1s", "+1s", "1.5s", "1 s", "1S", "1sec", "0x1s", " 1s",
                           "1s ", "99999999999999999999s", "9223372036854775807d"}) {
    EXPECT_FALSE(parse_duration(text)) << text;
  }
}

TEST(Units, BytesComeBackAsTheyWere) {
  EXPECT_EQ(parse_bytes("1024"), 1'024u);
  EXPECT_EQ(parse_bytes("64KiB"), 64u << 10);
  EXPECT_EQ(parse_bytes("1MiB"), 1u << 20);
  EXPECT_EQ(parse_bytes("2GiB"), 2ull << 30);
  EXPECT_EQ(format_bytes(64 << 10), "64KiB");
  EXPECT_EQ(format_bytes(1'000), "1000");
  for (const std::uint64_t bytes : {0ull, 1ull, 1'023ull, 1ull << 20, (1ull << 30) + 1}) {
    EXPECT_EQ(parse_bytes(format_bytes(bytes)), bytes);
  }
  for (const char* text : {"", "KiB", "1KB", "1 MiB", "-1", "1.5MiB", "17179869184GiB"}) {
    EXPECT_FALSE(parse_bytes(text)) << text;
  }
}

TEST(Units, ACountIsDigitsAlone) {
  EXPECT_EQ(parse_count("0"), 0u);
  EXPECT_EQ(parse_count("18446744073709551615"), 18'446'744'073'709'551'615ull);
  for (const char* text : {"", "+1", "-1", "1.0", "1e3", " 1", "1,000", "18446744073709551616"}) {
    EXPECT_FALSE(parse_count(text)) << text;
  }
}

TEST(Units, HostsHaveCommasBetweenThem) {
  const auto hosts = parse_hosts("a.example,b");
  ASSERT_TRUE(hosts);
  EXPECT_THAT(*hosts, ElementsAre("a.example", "b"));
  EXPECT_EQ(format_hosts(*hosts), "a.example,b");
  EXPECT_EQ(format_hosts(parse_hosts("none").value()), "none");
  for (const char* text : {"", "a,", ",a", "a b", "a,,b"}) EXPECT_FALSE(parse_hosts(text)) << text;
}

TEST(Units, PeopleReadTwoUnitsAtMost) {
  EXPECT_EQ(format_span(Milliseconds{0}), "0 s");
  EXPECT_EQ(format_span(std::chrono::hours(76)), "3 d 4 h");
  EXPECT_EQ(format_span(std::chrono::seconds(725)), "12 min 5 s");
  EXPECT_EQ(format_size(20'202), "19.7 KiB");
  EXPECT_EQ(format_count(1'234'567), "1,234,567");
  EXPECT_EQ(format_count(999), "999");
}

}  // namespace
}  // namespace dwell
