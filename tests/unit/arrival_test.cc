#include "core/arrival.h"

#include <gtest/gtest.h>

#include "tests/fakes/event_types.h"

namespace dwell {
namespace {

template <typename State>
Outcome decide(State& state, EventType type, std::int64_t ms, const Rule& rule = {}) {
  return state.decide({"cam-1", from_ms(ms), type}, from_ms(ms), rule).outcome;
}

TEST(Arrival, AnAcceptedEventIsOneInsertWhoseRankIsItsSeq) {
  ArrivalState<4> state;
  const auto first = state.decide({"cam-1", from_ms(1000), kEnter}, from_ms(9), {});
  EXPECT_EQ(first.outcome, Outcome::accepted);
  ASSERT_EQ(first.change_count, 1);
  EXPECT_EQ(first.changes[0], (Change{from_ms(1000), 1, 1, kEnter, Operation::insert}));
  const auto second = state.decide({"cam-1", from_ms(500), kExit}, from_ms(9), {});
  ASSERT_EQ(second.change_count, 1);
  EXPECT_EQ(second.changes[0], (Change{from_ms(500), 2, 2, kExit, Operation::insert}));
}

TEST(Arrival, ASuppressedEventChangesNoRowAndTakesNoSeq) {
  ArrivalState<4> state;
  decide(state, kEnter, 1000);
  const auto repeat = state.decide({"cam-1", from_ms(2000), kEnter}, from_ms(9), {});
  EXPECT_EQ(repeat.outcome, Outcome::repeated_enter);
  EXPECT_EQ(repeat.change_count, 0);
  EXPECT_EQ(state.seq, 1u);
}

TEST(Arrival, LastSeenIsTheLargestTimeOfAnyUsableEvent) {
  ArrivalState<4> state;
  EXPECT_EQ(state.last_seen, kNever);
  decide(state, kEnter, 1000);
  EXPECT_EQ(state.last_seen, from_ms(1000));
  decide(state, kEnter, 3000);
  EXPECT_EQ(state.last_seen, from_ms(3000));
  decide(state, kExit, 2000);
  EXPECT_EQ(state.last_seen, from_ms(3000));
}

TEST(Arrival, CountsEachKindOfSuppression) {
  Rule rule;
  rule.first_exit = FirstExit::suppress;
  ArrivalState<4> state;
  EXPECT_EQ(decide(state, kExit, 1, rule), Outcome::initial_exit);
  EXPECT_EQ(decide(state, kEnter, 2, rule), Outcome::accepted);
  EXPECT_EQ(decide(state, kEnter, 2, rule), Outcome::duplicate);
  EXPECT_EQ(decide(state, kEnter, 3, rule), Outcome::repeated_enter);
  EXPECT_EQ(decide(state, kEnter, 4, rule), Outcome::repeated_enter);
  EXPECT_EQ(decide(state, kExit, 5, rule), Outcome::accepted);
  EXPECT_EQ(decide(state, kExit, 6, rule), Outcome::repeated_exit);
  EXPECT_EQ(decide(state, kEnter, 2, rule), Outcome::duplicate);
  EXPECT_EQ(decide(state, kExit, 5, rule), Outcome::duplicate);
  EXPECT_EQ(state.suppressed, (SuppressedCounts{2, 1, 3, 1}));
}

TEST(Arrival, RemembersTheNewestEventsFirst) {
  ArrivalState<4> state;
  EXPECT_FALSE(state.recent(0));
  for (int i = 1; i <= 6; ++i) decide(state, i % 2 ? kEnter : kExit, 1000 * i);
  for (std::size_t i = 0; i < 4; ++i) {
    ASSERT_TRUE(state.recent(i));
    EXPECT_EQ(to_ms(state.recent(i)->timestamp), 6000 - 1000 * static_cast<std::int64_t>(i));
    EXPECT_EQ(state.recent(i)->type, i % 2 ? kEnter : kExit);
  }
  EXPECT_FALSE(state.recent(4));
}

TEST(Arrival, HoldsBothEndsOfTime) {
  ArrivalState<4> state;
  EXPECT_EQ(decide(state, kExit, to_ms(kLatest)), Outcome::accepted);
  EXPECT_EQ(decide(state, kEnter, 0), Outcome::accepted);
  EXPECT_EQ(state.recent(0)->timestamp, kEarliest);
  EXPECT_EQ(state.recent(1)->timestamp, kLatest);
  EXPECT_EQ(decide(state, kExit, to_ms(kLatest)), Outcome::duplicate);
}

// What becomes of a copy of event `copied` after `window` + 1 events were accepted.
template <std::size_t kCapacity>
Outcome redelivered(std::uint32_t window, std::uint32_t copied) {
  Rule rule;
  rule.duplicate_window = window;
  ArrivalState<kCapacity> state;
  const auto type = [](std::uint32_t i) { return i % 2 ? kEnter : kExit; };
  for (std::uint32_t i = 0; i <= window; ++i) decide(state, type(i), 1000 + i, rule);
  return decide(state, type(copied), 1000 + copied, rule);
}

template <std::size_t kCapacity>
void expect_window(std::uint32_t window) {
  SCOPED_TRACE(testing::Message() << "window " << window << " in " << kCapacity);
  EXPECT_NE(redelivered<kCapacity>(window, 0), Outcome::duplicate);
  for (std::uint32_t copied = 1; copied <= window; ++copied) {
    EXPECT_EQ(redelivered<kCapacity>(window, copied), Outcome::duplicate) << copied;
  }
}

TEST(Arrival, TheDuplicateTestLooksAtTheWindowOnly) {
  for (const std::uint32_t window : {0u, 1u, 2u, 3u, 4u}) expect_window<4>(window);
  for (const std::uint32_t window : {5u, 15u, 16u}) expect_window<16>(window);
  for (const std::uint32_t window : {17u, 63u, 64u}) expect_window<64>(window);
}

TEST(Arrival, ADuplicateHasTimeAndTypeInCommon) {
  ArrivalState<4> state;
  decide(state, kEnter, 1000);
  decide(state, kExit, 2000);
  EXPECT_EQ(decide(state, kExit, 1000), Outcome::repeated_exit);
  EXPECT_EQ(decide(state, kEnter, 2000), Outcome::accepted);
  EXPECT_EQ(decide(state, kEnter, 1000), Outcome::duplicate);
}

TEST(Arrival, WithReceivedTimesNothingIsADuplicate) {
  Rule rule;
  rule.clock_source = ClockSource::received;
  ArrivalState<4> state;
  EXPECT_EQ(decide(state, kEnter, 1000, rule), Outcome::accepted);
  EXPECT_EQ(decide(state, kEnter, 1000, rule), Outcome::repeated_enter);
  EXPECT_EQ(decide(state, kExit, 2000, rule), Outcome::accepted);
  EXPECT_EQ(decide(state, kEnter, 1000, rule), Outcome::accepted);
}

TEST(Arrival, AFirstExitIsAcceptedUnlessToldOtherwise) {
  ArrivalState<4> accepting;
  EXPECT_EQ(decide(accepting, kExit, 1000), Outcome::accepted);
  EXPECT_EQ(decide(accepting, kExit, 2000), Outcome::repeated_exit);
  Rule rule;
  rule.first_exit = FirstExit::suppress;
  ArrivalState<4> suppressing;
  EXPECT_EQ(decide(suppressing, kExit, 1000, rule), Outcome::initial_exit);
  EXPECT_EQ(suppressing.seq, 0u);
  EXPECT_EQ(suppressing.last_seen, from_ms(1000));
  EXPECT_EQ(decide(suppressing, kEnter, 2000, rule), Outcome::accepted);
  EXPECT_EQ(decide(suppressing, kExit, 3000, rule), Outcome::accepted);
  EXPECT_EQ(decide(suppressing, kExit, 4000, rule), Outcome::repeated_exit);
}

// The aim of under 120 bytes a device, names and index included, rests on it.
static_assert(sizeof(ArrivalState<4>) <= 80);

}  // namespace
}  // namespace dwell
