#include "base/timestamp.h"

#include <gtest/gtest.h>

namespace dwell {
namespace {

struct Readable {
  const char* text;
  std::int64_t ms;
};

class ReadableTimestamp : public testing::TestWithParam<Readable> {};

TEST_P(ReadableTimestamp, GivesItsInstant) {
  const auto parsed = parse_rfc3339(GetParam().text);
  ASSERT_TRUE(parsed) << GetParam().text;
  EXPECT_EQ(to_ms(*parsed), GetParam().ms) << GetParam().text;
}

INSTANTIATE_TEST_SUITE_P(
    Timestamp, ReadableTimestamp,
    testing::Values(
        Readable{"1970-01-01T00:00:00Z", 0}, Readable{"1970-01-01T00:00:00.001Z", 1},
        Readable{"1970-01-02T00:00:00Z", 86'400'000},
        Readable{"2025-07-08T00:00:00Z", 1'751'932'800'000},
        Readable{"2025-07-08t00:00:00z", 1'751'932'800'000},
        Readable{"2024-02-29T00:00:00Z", 1'709'164'800'000},
        Readable{"2000-02-29T00:00:00Z", 951'782'400'000},
        // fractions: one digit to as many as fit, cut not rounded
        Readable{"1970-01-01T00:00:01.5Z", 1'500}, Readable{"1970-01-01T00:00:01.05Z", 1'050},
        Readable{"1970-01-01T00:00:01.0009Z", 1'000},
        Readable{"1970-01-01T00:00:01.9999999999Z", 1'999},
        // offsets
        Readable{"1970-01-01T00:00:00+00:00", 0}, Readable{"1970-01-01T00:00:00-00:00", 0},
        Readable{"1970-01-01T02:30:00+02:30", 0}, Readable{"1970-01-01T23:59:00+23:59", 0},
        Readable{"1969-12-31T19:00:00-05:00", 0},
        Readable{"1970-01-01T00:00:00.25-01:00", 3'600'250},
        // the end of the range, from both sides
        Readable{"9999-12-31T23:59:59.999Z", 253'402'300'799'999},
        Readable{"9999-12-31T22:59:59.9999-01:00", 253'402'300'799'999}));

class UnreadableTimestamp : public testing::TestWithParam<const char*> {};

TEST_P(UnreadableTimestamp, IsRefused) {
  EXPECT_FALSE(parse_rfc3339(GetParam())) << GetParam();
}

INSTANTIATE_TEST_SUITE_P(
    Timestamp, UnreadableTimestamp,
    testing::Values("", "Z", "1970", "1970-01-01", "1970-01-01T00:00Z", "1970-01-01T00:00:00",
                    "1970-01-01 00:00:00Z", "1970-1-01T00:00:00Z", "70-01-01T00:00:00Z",
                    "19700101T000000Z", "1970/01/01T00:00:00Z", "+1970-01-01T00:00:00Z",
                    " 1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z ", "1970-01-01T00:00:00ZZ",
                    "1970-01-01T00:00:00.Z", "1970-01-01T00:00:00,5Z", "1970-01-01T00:00:00.5",
                    "1970-01-01T-1:00:00Z", "1970-01-01T0 :00:00Z",
                    // fields beyond their range
                    "1970-00-01T00:00:00Z", "1970-13-01T00:00:00Z", "1970-01-00T00:00:00Z",
                    "1970-01-32T00:00:00Z", "1970-04-31T00:00:00Z", "2025-02-29T00:00:00Z",
                    "2100-02-29T00:00:00Z", "1970-01-01T24:00:00Z", "1970-01-01T00:60:00Z",
                    "1970-01-01T00:00:60Z", "2016-12-31T23:59:60Z",
                    // offsets
                    "1970-01-01T00:00:00+24:00", "1970-01-01T00:00:00+00:60",
                    "1970-01-01T00:00:00+0000", "1970-01-01T00:00:00+00",
                    "1970-01-01T00:00:00+0:00", "1970-01-01T00:00:00 +00:00",
                    "1970-01-01T00:00:00UTC",
                    // instants outside 1970-9999
                    "1969-12-31T23:59:59.999Z", "1970-01-01T00:59:59+01:00", "0000-01-01T00:00:00Z",
                    "9999-12-31T23:59:59-00:01", "10000-01-01T00:00:00Z"));

TEST(Timestamp, TextAsLongAsTheLimitIsReadAndLongerIsNot) {
  const std::string start = "1970-01-01T00:00:01.";
  const auto padded = [&](std::size_t length) {
    return start + std::string(length - start.size() - 1, '0') + "Z";
  };
  EXPECT_TRUE(parse_rfc3339(padded(kLongestTimestamp)));
  EXPECT_FALSE(parse_rfc3339(padded(kLongestTimestamp + 1)));
}

TEST(Timestamp, ANulByteIsNoEnd) {
  EXPECT_FALSE(parse_rfc3339(std::string_view("1970-01-01T00:00:00Z\0", 21)));
}

TEST(Timestamp, IsWrittenWithMillisecondsOnlyWhereTheyAreNotZero) {
  EXPECT_EQ(format_rfc3339(kEarliest), "1970-01-01T00:00:00Z");
  EXPECT_EQ(format_rfc3339(from_ms(1)), "1970-01-01T00:00:00.001Z");
  EXPECT_EQ(format_rfc3339(from_ms(1'751'976'000'250)), "2025-07-08T12:00:00.250Z");
  EXPECT_EQ(format_rfc3339(kLatest), "9999-12-31T23:59:59.999Z");
}

TEST(Timestamp, ReadsBackWhatItWrites) {
  // A step that is prime to days and seconds meets every field.
  for (auto t = kEarliest; t <= kLatest; t += Milliseconds{86'400'000'000 + 86'028'121}) {
    EXPECT_EQ(parse_rfc3339(format_rfc3339(t)), t) << to_ms(t);
  }
}

TEST(Timestamp, RangeIsInclusive) {
  EXPECT_TRUE(in_range(kEarliest));
  EXPECT_TRUE(in_range(kLatest));
  EXPECT_FALSE(in_range(kEarliest - Milliseconds{1}));
  EXPECT_FALSE(in_range(kLatest + Milliseconds{1}));
}

}  // namespace
}  // namespace dwell
