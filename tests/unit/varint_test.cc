#include "base/varint.h"

#include <gtest/gtest.h>

namespace dwell {
namespace {

using namespace std::string_literals;

struct Example {
  std::uint64_t value;
  std::string bytes;
};

const Example kExamples[] = {
    {0, "\x00"s},
    {1, "\x01"s},
    {127, "\x7f"s},
    {128, "\x80\x01"s},
    {300, "\xac\x02"s},
    {16'383, "\xff\x7f"s},
    {16'384, "\x80\x80\x01"s},
    {std::uint64_t{1} << 63, "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"s},
    {UINT64_MAX, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"s},
};

TEST(Varint, HasOneEncoding) {
  for (const auto& [value, bytes] : kExamples) {
    std::string out;
    put_varint(out, value);
    EXPECT_EQ(out, bytes) << value;
  }
}

TEST(Varint, IsTakenOffTheFront) {
  for (const auto& [value, bytes] : kExamples) {
    const std::string input = bytes + "rest";
    std::string_view in = input;
    EXPECT_EQ(take_varint(in), value);
    EXPECT_EQ(in, "rest");
  }
}

TEST(Varint, CutShortIsRefused) {
  for (const auto& [value, bytes] : kExamples) {
    std::string_view in(bytes.data(), bytes.size() - 1);
    EXPECT_FALSE(take_varint(in)) << value;
  }
}

TEST(Varint, LongerThanNeededIsRefused) {
  for (const auto& bytes :
       {"\x80\x00"s, "\xff\x00"s, "\x80\x80\x00"s, "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00"s}) {
    std::string_view in = bytes;
    EXPECT_FALSE(take_varint(in)) << testing::PrintToString(bytes);
  }
}

TEST(Varint, BeyondSixtyFourBitsIsRefused) {
  for (const auto& bytes : {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"s,
                            "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x00"s,
                            "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"s}) {
    std::string_view in = bytes;
    EXPECT_FALSE(take_varint(in)) << testing::PrintToString(bytes);
  }
}

TEST(Zigzag, KeepsSmallMagnitudesSmall) {
  EXPECT_EQ(zigzag(0), 0u);
  EXPECT_EQ(zigzag(-1), 1u);
  EXPECT_EQ(zigzag(1), 2u);
  EXPECT_EQ(zigzag(-2), 3u);
  EXPECT_EQ(zigzag(INT64_MAX), UINT64_MAX - 1);
  EXPECT_EQ(zigzag(INT64_MIN), UINT64_MAX);
}

TEST(Zigzag, IsUndone) {
  for (const std::int64_t value : {INT64_MIN, INT64_MIN + 1, std::int64_t{-65}, std::int64_t{-1},
                                   std::int64_t{0}, std::int64_t{64}, INT64_MAX}) {
    EXPECT_EQ(unzigzag(zigzag(value)), value);
  }
}

}  // namespace
}  // namespace dwell
