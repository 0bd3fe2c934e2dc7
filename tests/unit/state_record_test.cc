#include "core/state_record.h"

#include <gtest/gtest.h>

#include "base/varint.h"
#include "tests/fakes/event_types.h"

namespace dwell {
namespace {

using namespace std::string_literals;

constexpr Timestamp kLater = from_ms(1'000'000'000);

template <typename State>
std::string encoded(const State& state) {
  std::string record;
  encode_state(state, record);
  return record;
}

template <typename State>
void arrive(State& state, EventType type, std::int64_t ms, const Rule& rule = {}) {
  state.decide({"cam-1", from_ms(ms), type}, kLater, rule);
}

template <typename State>
std::string refusal(const std::string& record) {
  State state;
  const auto decoded = decode_state(record, state);
  if (decoded) return "";
  EXPECT_EQ(decoded.error().kind, ErrorKind::fatal);
  return decoded.error().message;
}

ArrivalState<4> arrival_example() {
  ArrivalState<4> state;
  arrive(state, kEnter, 1000);
  arrive(state, kExit, 2000);
  arrive(state, kExit, 2500);
  return state;
}

EventTimeState event_time_example() {
  EventTimeState state;
  arrive(state, kEnter, 1000);
  arrive(state, kExit, 1000);
  arrive(state, kEnter, 3000);
  arrive(state, kExit, 2000);
  return state;
}

// Byte by byte as docs/formats.md has it: this is what other releases read.
const std::string kArrivalRecord =
    "\x01"      // version
    "\x00"      // order: arrival
    "\x02"      // seq
    "\xc5\x13"  // last seen 2500, plus one
    "\x00"      // repeated_enter
    "\x01"      // repeated_exit
    "\x00"      // duplicate
    "\x00"      // initial_exit
    "\x02"      // accepted events held, newest first, each (time, type) as one number
    "\xc2\x3e"  // 2000 exit = 4001, from 0, zigzag
    "\xa1\x1f"  // 1000 enter = 2000, from 4001, zigzag
    ""s;

const std::string kEventTimeRecord =
    "\x02"      // version: under rule 2
    "\x01"      // order: event_time
    "\x03"      // seq
    "\xb9\x17"  // last seen 3000, plus one
    "\x00"      // repeated_enter
    "\x01"      // repeated_exit
    "\x00"      // duplicate
    "\x00"      // initial_exit
    "\x03"      // accepted
    "\x00"      // promoted
    "\x00"      // retracted
    "\x00"      // base: none
    "\x00"      // largest evicted: never
    "\xb9\x17"  // newest 3000, plus one
    "\x04"      // events in the window, oldest first, each (time, tie, type) as one number
    "\xa0\x1f"  // 1000 enter, tie 0 = 4000
    "\x03"      // 1000 exit, tie 1 = 4003
    "\x9e\x1f"  // 2000 exit = 8001
    "\x9f\x1f"  // 3000 enter = 12000
    ""s;

TEST(StateRecord, HasTheDocumentedBytes) {
  EXPECT_EQ(encoded(arrival_example()), kArrivalRecord);
  EXPECT_EQ(encoded(event_time_example()), kEventTimeRecord);
}

TEST(StateRecord, DocumentedBytesAreRead) {
  ArrivalState<4> arrival;
  ASSERT_TRUE(decode_state(kArrivalRecord, arrival));
  EXPECT_TRUE(arrival == arrival_example());
  EventTimeState event_time;
  ASSERT_TRUE(decode_state(kEventTimeRecord, event_time));
  EXPECT_TRUE(event_time == event_time_example());
  // Under rule 1 the bytes are the same.
  auto first = kEventTimeRecord;
  first[0] = 1;
  EventTimeState of_rule_1;
  ASSERT_TRUE(decode_state(first, of_rule_1));
  EXPECT_EQ(of_rule_1.newest_under, 1u);
  of_rule_1.newest_under = 2;
  EXPECT_TRUE(of_rule_1 == event_time_example());
}

TEST(StateRecord, IsAppended) {
  auto record = "before"s;
  encode_state(arrival_example(), record);
  EXPECT_EQ(record, "before" + kArrivalRecord);
}

template <typename State>
void expect_round_trip(const State& state) {
  State decoded;
  const auto record = encoded(state);
  const auto result = decode_state(record, decoded);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_TRUE(decoded == state);
  EXPECT_EQ(encoded(decoded), record);
}

TEST(StateRecord, ArrivalStatesRoundTrip) {
  expect_round_trip(ArrivalState<4>{});
  expect_round_trip(arrival_example());
  ArrivalState<16> full;
  Rule rule;
  rule.duplicate_window = 16;
  for (int i = 0; i < 30; ++i) arrive(full, i % 2 ? kEnter : kExit, 7919 * (i * 31 % 17), rule);
  expect_round_trip(full);
  ArrivalState<64> extremes;
  extremes.seq = UINT64_MAX;
  extremes.last_seen = kLatest;
  extremes.suppressed = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
  for (int i = 0; i < 64; ++i)
    extremes.remember(i % 2 ? kLatest : kEarliest, i % 2 ? kExit : kEnter);
  expect_round_trip(extremes);
}

TEST(StateRecord, EventTimeStatesRoundTrip) {
  expect_round_trip(EventTimeState{});
  expect_round_trip(event_time_example());
  Rule rule;
  rule.order = Order::event_time;
  rule.window_max = 3;
  rule.first_exit = FirstExit::suppress;
  EventTimeState evicting;
  for (int i = 0; i < 20; ++i) {
    arrive(evicting, i % 3 ? kEnter : kExit, 1000 + 37 * (i * 7 % 11), rule);
    expect_round_trip(evicting);
  }
  EXPECT_NE(evicting.largest_evicted, kNever);
  EventTimeState extremes;
  arrive(extremes, kEnter, 0);
  arrive(extremes, kExit, to_ms(kLatest));
  arrive(extremes, kEnter, to_ms(kLatest));
  expect_round_trip(extremes);
}

TEST(StateRecord, ASmallerSizeClassKeepsTheNewestEvents) {
  ArrivalState<16> wide;
  Rule rule;
  rule.duplicate_window = 16;
  for (int i = 1; i <= 10; ++i) arrive(wide, i % 2 ? kEnter : kExit, i * 1000, rule);
  ArrivalState<4> narrow;
  ASSERT_TRUE(decode_state(encoded(wide), narrow));
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(narrow.recent(i)->timestamp, wide.recent(i)->timestamp);
    EXPECT_EQ(narrow.recent(i)->type, wide.recent(i)->type);
  }
  EXPECT_EQ(narrow.seq, 10u);
  ArrivalState<64> wider;
  ASSERT_TRUE(decode_state(encoded(wide), wider));
  EXPECT_EQ(wider.recent(9)->timestamp, from_ms(1000));
  EXPECT_FALSE(wider.recent(10));
}

TEST(StateRecord, CutShortIsRefused) {
  for (std::size_t length = 0; length < kArrivalRecord.size(); ++length) {
    EXPECT_NE(refusal<ArrivalState<4>>(kArrivalRecord.substr(0, length)), "") << length;
  }
  for (std::size_t length = 0; length < kEventTimeRecord.size(); ++length) {
    EXPECT_NE(refusal<EventTimeState>(kEventTimeRecord.substr(0, length)), "") << length;
  }
}

TEST(StateRecord, TrailingBytesAreRefused) {
  EXPECT_EQ(refusal<ArrivalState<4>>(kArrivalRecord + "\0"s), "the state record is damaged");
  EXPECT_EQ(refusal<EventTimeState>(kEventTimeRecord + "\0"s), "the state record is damaged");
}

TEST(StateRecord, AnotherVersionIsRefusedNamingBoth) {
  for (const int version : {0, 2, 255}) {
    auto record = kArrivalRecord;
    record[0] = static_cast<char>(version);
    const auto message = refusal<ArrivalState<4>>(record);
    EXPECT_NE(message.find("version " + std::to_string(version)), std::string::npos) << message;
    EXPECT_NE(message.find("version 1"), std::string::npos) << message;
  }
  for (const int version : {0, 3, 255}) {
    auto record = kEventTimeRecord;
    record[0] = static_cast<char>(version);
    const auto message = refusal<EventTimeState>(record);
    EXPECT_NE(message.find("version " + std::to_string(version)), std::string::npos) << message;
    EXPECT_NE(message.find("versions 1 and 2"), std::string::npos) << message;
  }
}

TEST(StateRecord, AnotherOrderIsRefused) {
  EXPECT_NE(refusal<ArrivalState<4>>(kEventTimeRecord).find("order = arrival"), std::string::npos);
  EXPECT_NE(refusal<EventTimeState>(kArrivalRecord).find("order = event_time"), std::string::npos);
  auto record = kArrivalRecord;
  record[1] = 2;
  EXPECT_NE(refusal<ArrivalState<4>>(record), "");
}

std::string varints(std::initializer_list<std::uint64_t> values) {
  std::string out;
  for (const auto value : values) put_varint(out, value);
  return out;
}

constexpr auto kEndOfTime = static_cast<std::uint64_t>(to_ms(kLatest)) + 1;

struct Damage {
  const char* what;
  std::string record;
};

TEST(StateRecord, ValuesOutOfRangeAreRefusedInArrivalOrder) {
  const auto with = [](std::uint64_t last_seen, const std::string& events) {
    return "\x01\x00"s + varints({1, last_seen, 0, 0, 0, 0}) + events;
  };
  const auto latest = zigzag(static_cast<std::int64_t>((kEndOfTime - 1) << 1 | 1));
  EXPECT_EQ(refusal<ArrivalState<64>>(with(kEndOfTime, varints({1, latest}))), "");
  const Damage damages[] = {
      {"last seen beyond time", with(kEndOfTime + 1, varints({0}))},
      {"an event beyond time", with(1, varints({1, latest + 2}))},
      {"an event before time", with(1, varints({1, zigzag(-1)}))},
      {"more events than any window", with(1, varints({65}) + std::string(65, '\0'))},
      {"fewer events than said", with(1, varints({2, 2}))},
      {"a number longer than needed", with(1, "\x81\x00\x02"s)},
  };
  for (const auto& [what, record] : damages) {
    EXPECT_EQ(refusal<ArrivalState<64>>(record), "the state record is damaged") << what;
  }
}

TEST(StateRecord, ValuesOutOfRangeAreRefusedInEventTimeOrder) {
  const auto with = [](unsigned char base, std::uint64_t evicted, std::uint64_t newest,
                       const std::string& window) {
    return "\x01\x01"s + varints({1, 1, 0, 0, 0, 0, 1, 0, 0}) + static_cast<char>(base) +
           varints({evicted, newest}) + window;
  };
  // The last millisecond with both its events: an enter of tie 0 and an exit of tie 1.
  const auto last_enter = (kEndOfTime - 1) << 2;
  const auto last_entry = last_enter | 3;
  const auto last_two = varints({2, last_enter, last_entry - last_enter});
  EXPECT_EQ(refusal<EventTimeState>(with(2, kEndOfTime - 1, kEndOfTime, last_two)), "");
  const Damage damages[] = {
      {"no such base", with(3, 0, 1, varints({1, 4}))},
      {"evicted beyond time", with(0, kEndOfTime + 1, 1, varints({0}))},
      {"newest beyond time", with(0, 0, kEndOfTime + 1, varints({0}))},
      {"an event beyond time", with(0, 0, 1, varints({1, last_entry + 1}))},
      {"events beyond time together", with(0, 0, 1, varints({2, last_entry, 1}))},
      {"the same event twice", with(0, 0, 1, varints({2, 4, 0}))},
      {"an event that was evicted", with(1, 1001, 1, varints({1, 4000}))},
      {"more events than any window", with(0, 0, 1, varints({kLargestWindow + 2}))},
      {"fewer events than said", with(0, 0, 1, varints({2, 4}))},
  };
  for (const auto& [what, record] : damages) {
    EXPECT_EQ(refusal<EventTimeState>(record), "the state record is damaged") << what;
  }
}

}  // namespace
}  // namespace dwell
