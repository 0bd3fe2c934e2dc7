#include "http/api/cursor.h"

#include <gtest/gtest.h>

namespace dwell {
namespace {

std::string row_cursor(const Row& last, std::string_view filter) {
  return cursor_text(row_place(last), filter);
}
std::optional<Row> parse_row_cursor(std::string_view text, std::string_view filter) {
  const auto place = parse_cursor(text, filter);
  return place ? parse_row_place(*place) : std::nullopt;
}
std::string presence_cursor(const PresencePlace& last) {
  return cursor_text(presence_place(last), "presence");
}
std::optional<PresencePlace> parse_presence_cursor(std::string_view text) {
  const auto place = parse_cursor(text, "presence");
  return place ? parse_presence_place(*place) : std::nullopt;
}

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

TEST(PresenceCursor, GivesMomentAndNameBack) {
  for (const std::string& name : {std::string("a"), std::string("a/b %+"), std::string("T\u00fcr"),
                                  std::string(kLongestDeviceId, 'x'), std::string("\0\xff", 2)}) {
    for (const Timestamp at : {kEarliest, from_ms(1'751'957'694'612), kLatest}) {
      const auto place = parse_presence_cursor(presence_cursor({at, name}));
      ASSERT_TRUE(place);
      EXPECT_EQ(place->at, at);
      EXPECT_EQ(place->device, name);
    }
  }
}

TEST(PresenceCursor, OthersAreRefused) {
  EXPECT_FALSE(parse_presence_cursor(row_cursor({kEarliest, 0, EventType::enter, 0}, "cam")));
  EXPECT_FALSE(parse_presence_cursor(presence_cursor({kEarliest, ""})));
  EXPECT_FALSE(
      parse_presence_cursor(presence_cursor({kEarliest, std::string(kLongestDeviceId + 1, 'x')})));
  EXPECT_FALSE(parse_presence_cursor(presence_cursor({kLatest + Milliseconds(1), "a"})));
  EXPECT_FALSE(parse_presence_cursor(""));
}

// Types that no store can hold: PostgreSQL refuses them, so nobody is asked.
TEST(RowCursor, WhatNoStoreCanHoldIsNoPlace) {
  for (const std::string& bytes :
       {std::string("\xff"), std::string("a\0b", 3), std::string("\xc3")}) {
    EXPECT_FALSE(
        parse_row_cursor(row_cursor({from_ms(1), 2, EventType::enter, 0, bytes}, "f"), "f"));
  }
  EXPECT_TRUE(
      parse_row_cursor(row_cursor({from_ms(1), 2, EventType::enter, 0, "T\xc3\xbcr"}, "f"), "f"));
}

}  // namespace
}  // namespace dwell
