// Tables and strips for people.
#include "app/terminal/terminal.h"

#include <cstdio>
#include <cstdlib>
#include <gmock/gmock.h>

namespace dwell {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(TextTable, CellsAreAsWideAsTheWidestAndNumbersAreOnTheRight) {
  TextTable table({{"device"}, {"rows", true}});
  table.add({"lobby", "7"});
  table.add({"a", "12345"});
  EXPECT_EQ(table.render(Terminal()),
            "device   rows\n"
            "lobby       7\n"
            "a       12345\n");
}

TEST(TextTable, LettersOfSeveralBytesAreOneColumn) {
  TextTable table({{"device"}, {"state"}});
  table.add({"\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9", "in"});  // the widest
  table.add({"lobby", "out"});
  EXPECT_EQ(table.render(Terminal()),
            "device   state\n"
            "\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9  in\n"
            "lobby    out\n");
}

TEST(TextTable, OnlyATerminalWithColourGetsColour) {
  TextTable table({{"device"}});
  table.add({"a"});
  Terminal terminal;
  EXPECT_THAT(table.render(terminal), Not(HasSubstr("\x1b[")));
  terminal.has_color = true;
  EXPECT_THAT(table.render(terminal), HasSubstr("\x1b["));
}

// What a file can show, with COLUMNS set to `columns`.
Terminal of_file(const char* columns) {
  ::setenv("COLUMNS", columns, 1);
  std::FILE* const file = std::tmpfile();
  const Terminal terminal = Terminal::of(file);
  std::fclose(file);
  ::unsetenv("COLUMNS");
  return terminal;
}

TEST(Terminal, AFileHasNoColourAndTheWidthThatIsAskedFor) {
  const Terminal terminal = of_file("120");
  EXPECT_FALSE(terminal.is_terminal);
  EXPECT_FALSE(terminal.has_color);
  EXPECT_EQ(terminal.width, 120u);
  EXPECT_EQ(of_file("10").width, 40u) << "the least";
  EXPECT_EQ(of_file("wide").width, 80u) << "no number";
}

std::string strip(std::vector<Stay> stays, bool has_unicode) {
  PresenceStrip strip(from_ms(0), from_ms(400), 4);
  for (const Stay& stay : stays) strip.add(stay);
  Terminal terminal;
  terminal.has_unicode = has_unicode;
  return strip.render(terminal);
}

TEST(PresenceStrip, ACellIsFullHalfOrEmpty) {
  Stay stay;
  stay.enter = from_ms(100);
  stay.exit = from_ms(250);
  EXPECT_EQ(strip({stay}, true), "·█▄·");
  Stay open;
  open.enter = from_ms(300);
  EXPECT_EQ(strip({stay, open}, true), "·█▄█");
  EXPECT_EQ(strip({stay}, false).size(), 4u);
  EXPECT_EQ(strip({}, true), "····");
}

}  // namespace
}  // namespace dwell
