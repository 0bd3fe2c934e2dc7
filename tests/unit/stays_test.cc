#include "questions/stays.h"

#include <gtest/gtest.h>

#include "tests/fakes/event_types.h"

namespace dwell {
namespace {

Row row(EventType type, std::int64_t ms, std::uint64_t rank = 0) {
  return {from_ms(ms), rank, type, 1};
}

std::vector<Stay> sessions(const std::vector<Row>& rows) {
  StayFold fold;
  for (const Row& row : rows) fold.add(row);
  return fold.stays();
}

TEST(RowOrder, IsTimeThenRankThenType) {
  const Row ordered[] = {row(kExit, 1, 9), row(kExit, 2, 0),  row(kEnter, 2, 1),
                         row(kExit, 2, 1), row(kEnter, 2, 2), row(kEnter, 3, 0)};
  for (std::size_t i = 0; i < std::size(ordered); ++i) {
    for (std::size_t j = 0; j < std::size(ordered); ++j) {
      EXPECT_EQ(comes_before(ordered[i], ordered[j]), i < j) << i << " " << j;
    }
  }
}

struct Expectation {
  const char* what;
  std::vector<Row> rows;
  std::vector<Stay> sessions;
};

TEST(Sessions, FollowTheRows) {
  const auto at = [](std::int64_t ms) { return std::optional(from_ms(ms)); };
  const auto open = std::optional<Timestamp>();
  const Expectation expectations[] = {
      {"nothing", {}, {}},
      {"still inside", {row(kEnter, 1)}, {{at(1), open}}},
      {"one stay", {row(kEnter, 1), row(kExit, 5)}, {{at(1), at(5)}}},
      {"began before the first row", {row(kExit, 5)}, {{open, at(5)}}},
      {"three stays",
       {row(kExit, 1), row(kEnter, 2), row(kExit, 3), row(kEnter, 4)},
       {{open, at(1)}, {at(2), at(3)}, {at(4), open}}},
      {"equal neighbours merge into the first",
       {row(kEnter, 1), row(kEnter, 2), row(kExit, 3), row(kExit, 4), row(kEnter, 5),
        row(kEnter, 6)},
       {{at(1), at(3)}, {at(5), open}}},
      {"first exits merge too", {row(kExit, 1), row(kExit, 2)}, {{open, at(1)}}},
      {"a stay of no length", {row(kEnter, 1), row(kExit, 1)}, {{at(1), at(1)}}},
      {"out and in again at once",
       {row(kEnter, 1), row(kExit, 2), row(kEnter, 2)},
       {{at(1), at(2)}, {at(2), open}}},
  };
  for (const auto& [what, rows, expected] : expectations) {
    EXPECT_EQ(sessions(rows), expected) << what;
  }
}

TEST(Sessions, MayBeAskedForInBetween) {
  StayFold fold;
  fold.add(row(kEnter, 1));
  EXPECT_EQ(fold.stays().size(), 1u);
  EXPECT_FALSE(fold.stays()[0].exit);
  fold.add(row(kExit, 2));
  EXPECT_EQ(fold.stays().size(), 1u);
  EXPECT_EQ(fold.stays()[0].exit, from_ms(2));
}

}  // namespace
}  // namespace dwell
