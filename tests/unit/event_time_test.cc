#include "core/event_time.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <map>
#include <numeric>

#include "core/state_record.h"
#include "tests/fakes/event_types.h"

namespace dwell {
namespace {

constexpr Timestamp kLater = from_ms(1'000'000'000);

Rule event_time_rule() {
  Rule rule;
  rule.order = Order::event_time;
  return rule;
}

// Under which the horizon counts from the newest event, whatever its neighbours.
Rule event_time_rule_1() {
  Rule rule = event_time_rule();
  rule.version = 1;
  return rule;
}

Decision decide(EventTimeState& state, EventType type, std::int64_t ms,
                const Rule& rule = event_time_rule(), Timestamp now = kLater) {
  return state.decide({"cam-1", from_ms(ms), type}, now, rule);
}

// "+E1000 -X2000": what a decision changes, without the running numbers.
std::string changes(const Decision& decision) {
  std::string text;
  for (std::size_t i = 0; i < decision.change_count; ++i) {
    const Change& change = decision.changes[i];
    if (i > 0) text += ' ';
    text += change.operation == Operation::insert ? '+' : '-';
    text += change.type == kEnter ? 'E' : 'X';
    text += std::to_string(to_ms(change.timestamp));
  }
  return text;
}

TEST(EventWindow, SortsByTimeAndTie) {
  EventWindow window;
  EXPECT_TRUE(window.empty());
  EXPECT_EQ(window.position_after(from_ms(5)), 0u);
  window.insert(0, from_ms(20), 0, kExit);
  window.insert(0, from_ms(10), 0, kExit);
  window.insert(1, from_ms(10), 1, kEnter);
  ASSERT_EQ(window.size(), 3u);
  EXPECT_EQ(window.front().timestamp(), from_ms(10));
  EXPECT_EQ(window[0].tie(), 0);
  EXPECT_EQ(window[0].type(), kExit);
  EXPECT_EQ(window[1].tie(), 1);
  EXPECT_EQ(window[1].type(), kEnter);
  EXPECT_EQ(window.back().timestamp(), from_ms(20));
  EXPECT_EQ(window.position_after(from_ms(9)), 0u);
  EXPECT_EQ(window.position_after(from_ms(10)), 2u);
  EXPECT_EQ(window.position_after(from_ms(11)), 2u);
  EXPECT_EQ(window.position_after(from_ms(20)), 3u);
  EXPECT_EQ(window.position_after(kLatest), 3u);
}

TEST(EventWindow, HoldsBothEndsOfTime) {
  EventWindow window;
  window.insert(0, kLatest, 1, kExit);
  window.insert(0, kEarliest, 0, kEnter);
  EXPECT_EQ(window.front().timestamp(), kEarliest);
  EXPECT_EQ(window.back().timestamp(), kLatest);
  EXPECT_EQ(window.back().tie(), 1);
  EXPECT_EQ(window.back().type(), kExit);
  EXPECT_EQ(window.position_after(kEarliest), 1u);
}

TEST(EventWindow, IsTheSameHoweverManyWentBefore) {
  EventWindow moved, fresh;
  for (int i = 0; i < 100; ++i) {
    moved.insert(moved.size(), from_ms(i), 0, kEnter);
    if (i >= 70) fresh.insert(fresh.size(), from_ms(i), 0, kEnter);
    EXPECT_EQ(moved.position_after(from_ms(i)), moved.size());
  }
  for (int i = 0; i < 70; ++i) {
    EXPECT_FALSE(moved == fresh);
    EXPECT_EQ(moved.front().timestamp(), from_ms(i));
    moved.remove_front();
    EXPECT_EQ(moved.size(), 99u - static_cast<std::size_t>(i));
    EXPECT_EQ(moved.position_after(from_ms(84)), 84u - static_cast<std::size_t>(i));
  }
  EXPECT_TRUE(moved == fresh);
  moved.insert(0, from_ms(3), 0, kExit);
  EXPECT_EQ(moved.front().timestamp(), from_ms(3));
  EXPECT_EQ(moved.size(), 31u);
}

TEST(EventTime, ALateEventChangesItselfAndAtMostItsSuccessor) {
  EventTimeState state;
  EXPECT_EQ(changes(decide(state, kEnter, 1000)), "+E1000");
  EXPECT_EQ(changes(decide(state, kEnter, 3000)), "");
  EXPECT_EQ(changes(decide(state, kExit, 2000)), "+X2000 +E3000");
  EXPECT_EQ(changes(decide(state, kExit, 1500)), "+X1500 -X2000");
  EXPECT_EQ(changes(decide(state, kEnter, 1200)), "");
  EXPECT_EQ(changes(decide(state, kExit, 500)), "+X500");
  EXPECT_EQ(changes(decide(state, kExit, 400)), "+X400 -X500");
  EXPECT_EQ(changes(decide(state, kEnter, 450)), "+E450 +X500");
}

TEST(EventTime, NumbersEachChangeAndRanksByTie) {
  EventTimeState state;
  decide(state, kEnter, 1000);
  const auto tied = decide(state, kExit, 1000);
  ASSERT_EQ(tied.change_count, 1);
  EXPECT_EQ(tied.changes[0], (Change{from_ms(1000), 2, 1, kExit, Operation::insert}));
  const auto before = decide(state, kEnter, 500);
  ASSERT_EQ(before.change_count, 2);
  EXPECT_EQ(before.changes[0], (Change{from_ms(500), 3, 0, kEnter, Operation::insert}));
  EXPECT_EQ(before.changes[1], (Change{from_ms(1000), 4, 0, kEnter, Operation::retract}));
  EXPECT_EQ(state.seq, 4u);
}

TEST(EventTime, CountsOutcomesAndCorrections) {
  EventTimeState state;
  decide(state, kEnter, 1000);
  decide(state, kEnter, 3000);
  decide(state, kEnter, 3000);
  decide(state, kExit, 2000);
  decide(state, kExit, 1500);
  decide(state, kExit, 5000);
  decide(state, kExit, 6000);
  EXPECT_EQ(state.accepted, 4u);
  EXPECT_EQ(state.promoted, 1u);
  EXPECT_EQ(state.retracted, 1u);
  EXPECT_EQ(state.suppressed, (SuppressedCounts{1, 1, 1, 0}));
  EXPECT_EQ(state.last_seen, from_ms(6000));
  EXPECT_EQ(state.seq, 6u);
}

TEST(EventTime, ARefusedEventLeavesNoTrace) {
  auto rule = event_time_rule_1();
  rule.horizon = Milliseconds{100};
  EventTimeState state;
  decide(state, kEnter, 1000, rule);
  const auto before = state;
  EXPECT_EQ(decide(state, kExit, 899, rule).outcome, Outcome::too_late);
  EXPECT_TRUE(state == before);
  EXPECT_EQ(decide(state, kExit, 900, rule).outcome, Outcome::accepted);
  EXPECT_EQ(decide(state, kExit, 900, rule).outcome, Outcome::duplicate) << "it stays";
}

TEST(EventTime, TheFloorIsTheLargestEvictedOrTheHorizon) {
  auto rule = event_time_rule();
  rule.window_max = 2;
  rule.horizon = Milliseconds{1000};
  EventTimeState state;
  decide(state, kEnter, 1000, rule);
  decide(state, kExit, 1100, rule);
  decide(state, kEnter, 1200, rule);
  EXPECT_EQ(state.largest_evicted, from_ms(1000));
  EXPECT_EQ(state.base, kEnter);
  EXPECT_EQ(decide(state, kExit, 1000, rule).outcome, Outcome::too_late);
  EXPECT_EQ(decide(state, kExit, 1001, rule).outcome, Outcome::accepted);
  EXPECT_EQ(state.largest_evicted, from_ms(1001));
  EXPECT_EQ(state.base, kExit);
  decide(state, kExit, 2150, rule);
  EXPECT_EQ(state.largest_evicted, from_ms(1100));
  EXPECT_EQ(decide(state, kEnter, 1149, rule).outcome, Outcome::too_late);
  EXPECT_EQ(decide(state, kEnter, 1150, rule).outcome, Outcome::accepted);
}

TEST(EventTime, UnderRule1NewestIsNeverBeyondTheReceiveTime) {
  EventTimeState state;
  decide(state, kEnter, 5000, event_time_rule_1(), from_ms(3000));
  EXPECT_EQ(state.newest, from_ms(3000));
  decide(state, kExit, 2000, event_time_rule_1(), from_ms(9000));
  EXPECT_EQ(state.newest, from_ms(3000));
  decide(state, kExit, 8000, event_time_rule_1(), from_ms(9000));
  EXPECT_EQ(state.newest, from_ms(8000));
}

// One wrong reading, an hour before the others.
TEST(EventTime, AnEventAloneMovesNoHorizon) {
  auto rule = event_time_rule();
  rule.horizon = Milliseconds{100};
  EventTimeState state;
  decide(state, kEnter, 5000, rule);
  EXPECT_EQ(state.newest, kNever);
  for (int ms = 1000; ms < 2000; ms += 10) {
    EXPECT_NE(decide(state, ms % 20 == 0 ? kEnter : kExit, ms, rule).outcome, Outcome::too_late);
  }
  EXPECT_EQ(state.newest, from_ms(1990));
  EXPECT_EQ(decide(state, kEnter, 1889, rule).outcome, Outcome::too_late);
  // Another one near it, and both are believed.
  decide(state, kExit, 4900, rule);
  EXPECT_EQ(state.newest, from_ms(5000));
  EXPECT_EQ(state.largest_evicted, from_ms(1990));
}

TEST(EventTime, ANeighbourIsOfAnotherMillisecond) {
  auto rule = event_time_rule();
  rule.horizon = Milliseconds{100};
  EventTimeState state;
  decide(state, kEnter, 1000, rule);
  decide(state, kExit, 1000, rule);
  EXPECT_EQ(state.newest, kNever);
  decide(state, kExit, 1101, rule);
  EXPECT_EQ(state.newest, kNever);
  decide(state, kExit, 1100, rule);
  EXPECT_EQ(state.newest, from_ms(1101));
}

TEST(EventTime, WhatWasEvictedIsANeighbourToo) {
  auto rule = event_time_rule();
  rule.horizon = Milliseconds{100};
  rule.window_max = 1;
  EventTimeState state;
  decide(state, kEnter, 1000, rule);
  decide(state, kExit, 2000, rule);
  EXPECT_EQ(state.largest_evicted, from_ms(1000));
  EXPECT_EQ(state.newest, kNever);
  decide(state, kEnter, 2100, rule);
  EXPECT_EQ(state.newest, from_ms(2100));
}

TEST(EventTime, TheHorizonIsNeverBeyondTheReceiveTime) {
  EventTimeState state;
  const Rule rule = event_time_rule();
  decide(state, kEnter, 5000, rule, from_ms(3000));
  decide(state, kExit, 4900, rule, from_ms(3100));
  EXPECT_EQ(state.newest, from_ms(3100));
}

TEST(EventTime, ADeviceOfFewEventsKeepsTheLastSixteen) {
  auto rule = event_time_rule();
  rule.horizon = Milliseconds{100};
  EventTimeState state;
  for (int i = 1; i <= 40; ++i) decide(state, i % 2 ? kEnter : kExit, 1000 * i, rule);
  EXPECT_EQ(state.window.size(), EventTimeState::kOldestReference);
  EXPECT_EQ(state.largest_evicted, from_ms(24'000));
}

TEST(EventTime, GoesOnUnderRule2WithWhatRule1Left) {
  auto rule = event_time_rule();
  rule.horizon = Milliseconds{100};
  auto old = event_time_rule_1();
  old.horizon = rule.horizon;
  EventTimeState state;
  for (const int ms : {1000, 1050, 1090, 9000, 9010}) decide(state, kEnter, ms, old);
  decide(state, kExit, 99'000, old);
  EXPECT_EQ(state.newest, from_ms(99'000));
  EXPECT_EQ(state.largest_evicted, from_ms(9010));
  EXPECT_EQ(decide(state, kExit, 9500, old).outcome, Outcome::too_late);
  std::string record;
  encode_state(state, record);
  EventTimeState read;
  ASSERT_TRUE(decode_state(record, read));
  EXPECT_EQ(read, state);
  // What stood alone moves nothing any more; what is evicted stays so.
  EXPECT_EQ(decide(read, kExit, 9500, rule).outcome, Outcome::accepted);
  EXPECT_EQ(decide(read, kExit, 9010, rule).outcome, Outcome::too_late);
  encode_state(read, record);
  EXPECT_EQ(read.newest_under, 2u);
}

TEST(EventTime, TheNewestMillisecondStays) {
  auto rule = event_time_rule();
  rule.window_max = 1;
  EventTimeState state;
  decide(state, kExit, 1000, rule);
  decide(state, kEnter, 1000, rule);
  EXPECT_EQ(state.window.size(), 2u);
  EXPECT_EQ(state.largest_evicted, kNever);
  decide(state, kExit, 2000, rule);
  EXPECT_EQ(state.window.size(), 1u);
  EXPECT_EQ(state.largest_evicted, from_ms(1000));
  EXPECT_EQ(state.base, kEnter);
}

TEST(EventTime, SuppressedFirstExitsStandBeforeTheWindow) {
  auto rule = event_time_rule();
  rule.first_exit = FirstExit::suppress;
  EventTimeState state;
  EXPECT_EQ(decide(state, kExit, 1000, rule).outcome, Outcome::initial_exit);
  EXPECT_EQ(state.base, kExit);
  EXPECT_EQ(state.suppressed.initial_exit, 1u);
  EXPECT_EQ(changes(decide(state, kEnter, 500, rule)), "+E500 +X1000");
  EXPECT_EQ(decide(state, kExit, 400, rule).outcome, Outcome::initial_exit);
}

struct Arrived {
  EventType type;
  int ms;
};

// The rows of a sorted history: the heads of runs.
std::string model(std::vector<Arrived> events, std::optional<EventType> before) {
  std::sort(events.begin(), events.end(), [](auto& a, auto& b) { return a.ms < b.ms; });
  std::string rows;
  for (const auto& [type, ms] : events) {
    if (before != type) rows += (type == kEnter ? " E" : " X") + std::to_string(ms);
    before = type;
  }
  return rows;
}

// The rows that the changes of a history leave behind; each change must fit them.
std::string played(const std::vector<Arrived>& events, const Rule& rule) {
  EventTimeState state;
  std::map<int, EventType> rows;
  for (const auto& [type, ms] : events) {
    const auto decision = decide(state, type, ms, rule);
    for (std::size_t i = 0; i < decision.change_count; ++i) {
      const Change& change = decision.changes[i];
      const int at = static_cast<int>(to_ms(change.timestamp));
      if (change.operation == Operation::insert) {
        EXPECT_TRUE(rows.emplace(at, change.type).second);
      } else {
        EXPECT_EQ(rows.erase(at), 1u);
      }
    }
  }
  std::string text;
  for (const auto& [ms, type] : rows) text += (type == kEnter ? " E" : " X") + std::to_string(ms);
  return text;
}

TEST(EventTime, EveryOrderOfEveryShortHistoryEndsInTheSortedRows) {
  constexpr int kEvents = 6;
  for (const auto first_exit : {FirstExit::accept, FirstExit::suppress}) {
    auto rule = event_time_rule();
    rule.first_exit = first_exit;
    const auto before =
        first_exit == FirstExit::suppress ? std::optional(EventType::exit) : std::nullopt;
    for (int types = 0; types < 1 << kEvents; ++types) {
      std::vector<int> places(kEvents);
      std::iota(places.begin(), places.end(), 0);
      do {
        std::vector<Arrived> events;
        for (const int place : places) {
          events.push_back({static_cast<EventType>(types >> place & 1), 10 * (place + 1)});
        }
        ASSERT_EQ(played(events, rule), model(events, before));
      } while (std::next_permutation(places.begin(), places.end()));
    }
  }
}

}  // namespace
}  // namespace dwell
