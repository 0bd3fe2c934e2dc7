#include "http/cursor.h"

#include <gtest/gtest.h>

namespace dwell {
namespace {

TEST(RowCursor, GivesTheRowBack) {
  const Row rows[] = {
      {kEarliest, 0, EventType::enter, 0},
      {kLatest, UINT64_MAX, EventType::exit, 0},
      {from_ms(1'751'932'800'000), 7, EventType::exit, 0},
  };
  for (const Row& row : rows) {
    const auto text = row_cursor(row, "cam\n0\n9");
    EXPECT_EQ(parse_row_cursor(text, "cam\n0\n9"), row) << text;
  }
}

TEST(RowCursor, NeedsNoEscapingInAUrl) {
  for (int i = 0; i < 300; ++i) {
    const auto text = row_cursor({from_ms(i * 7'919), 1, EventType::enter, 0}, std::to_string(i));
    EXPECT_EQ(text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                     "0123456789-_"),
              std::string::npos)
        << text;
  }
}

TEST(RowCursor, BelongsToItsFilter) {
  const auto text = row_cursor({from_ms(1), 1, EventType::enter, 0}, "cam-1");
  EXPECT_EQ(parse_row_cursor(text, "cam-2"), std::nullopt);
  EXPECT_EQ(parse_row_cursor(text, ""), std::nullopt);
}

TEST(RowCursor, OtherTextsAreRefused) {
  const auto text = row_cursor({from_ms(123'456), 1, EventType::enter, 0}, "cam");
  for (std::size_t length = 0; length < text.size(); ++length) {
    EXPECT_EQ(parse_row_cursor(text.substr(0, length), "cam"), std::nullopt) << length;
  }
  for (const std::string& other :
       {text + "A", text + "AA", text + "=", text + " ", "%" + text, std::string(600, 'A')}) {
    EXPECT_EQ(parse_row_cursor(other, "cam"), std::nullopt) << other;
  }
}

TEST(RowCursor, HasOneTextForEachRow) {
  const auto text = row_cursor({from_ms(123'456), 1, EventType::enter, 0}, "cam");
  const std::string_view alphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  for (std::size_t i = 0; i < text.size(); ++i) {
    for (const char c : alphabet) {
      auto other = text;
      other[i] = c;
      const auto row = parse_row_cursor(other, "cam");
      EXPECT_TRUE(!row || row_cursor(*row, "cam") == other) << other;
    }
  }
}

TEST(DeviceCursor, GivesTheNameBack) {
  for (const std::string& name : {std::string("a"), std::string("a/b %+"), std::string("T\u00fcr"),
                                  std::string(kLongestDeviceId, 'x'), std::string("\0\xff", 2)}) {
    EXPECT_EQ(parse_device_cursor(device_cursor(name, "presence"), "presence"), name);
  }
}

TEST(DeviceCursor, OthersAreRefused) {
  EXPECT_EQ(parse_device_cursor(device_cursor("a", "presence"), "devices"), std::nullopt);
  EXPECT_EQ(parse_device_cursor(device_cursor("", "presence"), "presence"), std::nullopt);
  const auto too_long = device_cursor(std::string(kLongestDeviceId + 1, 'x'), "presence");
  EXPECT_EQ(parse_device_cursor(too_long, "presence"), std::nullopt);
  EXPECT_EQ(parse_device_cursor("", "presence"), std::nullopt);
}

}  // namespace
}  // namespace dwell
