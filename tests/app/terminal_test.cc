// Tables and strips for people.
#include "app/terminal/terminal.h"

#include <algorithm>
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
  table.add({"caf\xC3\xA9", "in"});
  table.add({"lobby9", "out"});
  EXPECT_EQ(table.render(Terminal()),
            "device  state\n"
            "caf\xC3\xA9    in\n"
            "lobby9  out\n");
}

TEST(TextTable, OnlyATerminalWithColourGetsColour) {
  TextTable table({{"device"}});
  table.add({"a"});
  Terminal terminal;
  EXPECT_THAT(table.render(terminal), Not(HasSubstr("\x1b[")));
  terminal.has_color = true;
  EXPECT_THAT(table.render(terminal), HasSubstr("\x1b["));
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
