#include "base/printable.h"

#include <gtest/gtest.h>

namespace dwell {
namespace {

TEST(Printable, TextStaysAsItIs) {
  for (const char* text :
       {"", "cam 1", "T\u00fcr \u65e5\u672c \U0001F600", "a\\b", "e\u0301", "\"'<>&|$(x)"}) {
    EXPECT_EQ(printable(text), text);
  }
}

TEST(Printable, WhatMovesOrHidesTextIsShown) {
  const std::pair<std::string_view, const char*> expectations[] = {
      {"a\nb", R"(a\x0ab)"},
      {"a\rb\tc", R"(a\x0db\x09c)"},
      {"\x1b[31m", R"(\x1b[31m)"},
      {std::string_view("a\0b", 3), R"(a\x00b)"},
      {"\x7f", R"(\x7f)"},
      {"\u0085", R"(\xc2\x85)"},                        // next line, C1
      {"\u009b", R"(\xc2\x9b)"},                        // CSI, as ESC [
      {"\u202e", R"(\xe2\x80\xae)"},                    // right to left from here on
      {"\u2066", R"(\xe2\x81\xa6)"},                    // likewise
      {"\u200b\u200d", R"(\xe2\x80\x8b\xe2\x80\x8d)"},  // no width
      {"\ufeff", R"(\xef\xbb\xbf)"},
      {"\u2028\u2029", R"(\xe2\x80\xa8\xe2\x80\xa9)"},  // ends of line and paragraph
      {"\u00ad", R"(\xc2\xad)"},                        // soft hyphen
      {"\U000E0041", R"(\xf3\xa0\x81\x81)"},            // a tag
  };
  for (const auto& [text, shown] : expectations) {
    EXPECT_EQ(printable(text), shown);
    EXPECT_EQ(printable(text, 80), shown);
  }
}

TEST(Printable, BytesThatAreNoUtf8AreShownOneByOne) {
  EXPECT_EQ(printable("\xff\xfe"), R"(\xff\xfe)");
  EXPECT_EQ(printable("\xc3"), R"(\xc3)");  // cut short
  EXPECT_EQ(printable("\xc3z"), R"(\xc3z)");
  EXPECT_EQ(printable("\xc0\x8a"), R"(\xc0\x8a)");          // a newline in two bytes
  EXPECT_EQ(printable("\xe0\x80\x8a"), R"(\xe0\x80\x8a)");  // in three
  EXPECT_EQ(printable("\xed\xa0\x80"), R"(\xed\xa0\x80)");  // half of a pair
  EXPECT_EQ(printable("\xf4\x90\x80\x80"), R"(\xf4\x90\x80\x80)");
}

TEST(Printable, WhatIsPrintableStaysSo) {
  const auto once = printable("a\nb\\c\u202e\xff");
  EXPECT_EQ(printable(once), once);
}

TEST(Printable, BytesAreCutAndTheirBackslashesEscaped) {
  EXPECT_EQ(printable("a\\b", 80), R"(a\x5cb)");
  EXPECT_EQ(printable("abc", 6), "abc");
  EXPECT_EQ(printable("abcdefg", 6), "abc...");
  EXPECT_EQ(printable("\u00fc\u00fc\u00fc\u00fc\u00fc", 4), "\u00fc...");
  EXPECT_EQ(printable("ab\n\n", 6), "ab...");
}

}  // namespace
}  // namespace dwell
