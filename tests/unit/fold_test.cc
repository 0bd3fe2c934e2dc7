#include "core/fold.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>

namespace dwell {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr Timestamp kNow = from_ms(1'000'000'000);
constexpr std::uint64_t kSeed = 5;

std::string event(const std::string& device, const std::string& type, std::int64_t ms) {
  return fmt::format(R"({{"device_id":"{}","event_type":"device_{}","timestamp":{}}})", device,
                     type, ms);
}

// Records that keep their bytes, offsets counting from 0.
class Records {
 public:
  explicit Records(std::vector<std::string> bytes) : bytes_(std::move(bytes)) {
    for (const auto& one : bytes_) {
      records_.push_back({one, 0, static_cast<Offset>(records_.size()), kNow, 0});
    }
  }
  std::span<const Record> all() const { return records_; }
  std::span<const Record> part(std::size_t start, std::size_t count) const {
    return all().subspan(start, count);
  }
  std::size_t size() const { return records_.size(); }

 private:
  std::vector<std::string> bytes_;
  std::vector<Record> records_;
};

Rule event_time_rule() {
  Rule rule;
  rule.order = Order::event_time;
  return rule;
}

// A mix of everything, over more than one block and more than one device table block.
Records mixture(int count) {
  std::vector<std::string> bytes;
  for (int i = 0; i < count; ++i) {
    const auto device = fmt::format("cam-{}", i * 7 % 13 * (i % 3));
    switch (i % 11) {
      case 3:
        bytes.push_back(R"({"event_type":"heartbeat"})");
        break;
      case 7:
        bytes.push_back("garbage");
        break;
      default:
        bytes.push_back(event(device, i * 5 % 7 < 4 ? "enter" : "exit", 1000 + i * 37 % 101));
    }
  }
  return Records(std::move(bytes));
}

std::map<std::string, std::string> states(const Fold& fold) {
  std::map<std::string, std::string> encoded;
  for (DeviceIndex i = 0; i < fold.device_count(); ++i) {
    fold.encode_state(i, encoded[std::string(fold.device_id(i))]);
  }
  return encoded;
}

TEST(Fold, AUnitSaysWhatBecameOfEachRecord) {
  const Records records({event("a", "enter", 1000), "garbage", R"({"event_type":"heartbeat"})",
                         event("b", "exit", 1000), event("a", "enter", 2000), event("", "enter", 1),
                         event("a", "exit", 3000)});
  const std::vector<Position> positions{{"input", 7, "mark"}};
  Fold fold({}, kSeed);
  const Unit& unit = fold.fold(records.all(), positions);
  EXPECT_THAT(unit.outcomes, ElementsAre(Outcome::accepted, Outcome::malformed, Outcome::ignored,
                                         Outcome::accepted, Outcome::repeated_enter,
                                         Outcome::invalid_device_id, Outcome::accepted));
  EXPECT_THAT(unit.rejected, ElementsAre(1, 5));
  EXPECT_THAT(unit.touched, ElementsAre(0, 1));
  EXPECT_EQ(unit.first_new, 0u);
  ASSERT_EQ(unit.changes.size(), 3u);
  EXPECT_EQ(unit.changes[0].device, 0u);
  EXPECT_EQ(unit.changes[1].device, 1u);
  EXPECT_EQ(unit.changes[2].device, 0u);
  EXPECT_EQ(unit.changes[0].record, 0u);
  EXPECT_EQ(unit.changes[1].record, 3u);
  EXPECT_EQ(unit.changes[2].record, 6u);
  EXPECT_EQ(unit.changes[2].change,
            (Change{from_ms(3000), 2, 2, EventType::exit, Operation::insert}));
  EXPECT_EQ(unit.records.data(), records.all().data());
  EXPECT_EQ(unit.records.size(), records.size());
  EXPECT_EQ(unit.positions.data(), positions.data());
  EXPECT_EQ(unit.totals, fold.totals());
  EXPECT_EQ(unit.totals.records(), 7u);
  EXPECT_EQ(unit.totals[Outcome::accepted], 3u);
  EXPECT_EQ(fold.device_count(), 2u);
  EXPECT_EQ(fold.device_id(1), "b");
}

TEST(Fold, TheNextUnitStartsAfresh) {
  const Records records({event("a", "enter", 1000), "garbage", event("b", "enter", 1000),
                         event("a", "exit", 2000), event("c", "exit", 2000)});
  Fold fold({}, kSeed);
  fold.fold(records.part(0, 3), {});
  const Unit& second = fold.fold(records.part(3, 2), {});
  EXPECT_THAT(second.outcomes, ElementsAre(Outcome::accepted, Outcome::accepted));
  EXPECT_THAT(second.rejected, IsEmpty());
  EXPECT_THAT(second.touched, ElementsAre(0, 2));
  EXPECT_EQ(second.first_new, 2u);
  EXPECT_EQ(second.changes.size(), 2u);
  EXPECT_EQ(second.changes[0].record, 0u);
  EXPECT_EQ(second.totals.records(), 5u);
  const Unit& empty = fold.fold({}, {});
  EXPECT_THAT(empty.outcomes, IsEmpty());
  EXPECT_THAT(empty.touched, IsEmpty());
  EXPECT_EQ(empty.first_new, 3u);
  EXPECT_EQ(empty.totals.records(), 5u);
}

TEST(Fold, ASuppressedEventTouchesItsDeviceARejectedOneDoesNot) {
  auto rule = event_time_rule();
  rule.horizon = Milliseconds{100};
  const Records records({event("a", "enter", 1000), event("a", "enter", 1001),
                         event("a", "exit", 1), event("b", "enter", to_ms(kLatest))});
  Fold fold(rule, kSeed);
  fold.fold(records.part(0, 1), {});
  EXPECT_THAT(fold.fold(records.part(1, 1), {}).touched, ElementsAre(0));
  const auto before = states(fold);
  const Unit& rejected = fold.fold(records.part(2, 2), {});
  EXPECT_THAT(rejected.outcomes, ElementsAre(Outcome::too_late, Outcome::future_timestamp));
  EXPECT_THAT(rejected.touched, IsEmpty());
  EXPECT_THAT(rejected.rejected, ElementsAre(0, 1));
  EXPECT_EQ(states(fold), before);
  EXPECT_EQ(fold.device_count(), 1u);
}

TEST(Fold, ALateEventIsToldWithWhatLeftItBehind) {
  auto rule = event_time_rule();
  rule.horizon = Milliseconds{100};
  // Two wrong readings of a clock, near to one another.
  const Records records({event("a", "enter", 1000), event("a", "exit", 5000),
                         event("a", "enter", 5050), event("a", "exit", 1010),
                         event("a", "enter", 4960)});
  Fold fold(rule, kSeed);
  const Unit& unit = fold.fold(records.all(), {});
  ASSERT_EQ(unit.too_late.size(), 1u);
  const LateEvent& late = unit.too_late[0];
  EXPECT_EQ(late.record, 3u);
  EXPECT_EQ(late.timestamp, from_ms(1010));
  EXPECT_EQ(late.type, EventType::exit);
  EXPECT_EQ(late.behind, Milliseconds{4040});
  EXPECT_FALSE(late.is_within_horizon);
  ASSERT_TRUE(late.jump);
  EXPECT_EQ(late.jump->from, from_ms(1000));
  EXPECT_EQ(late.jump->to, from_ms(5000));
}

TEST(Fold, ALateEventThatTheSizeOfTheWindowCutOffIsToldApart) {
  auto rule = event_time_rule();
  rule.window_max = 2;
  const Records records({event("a", "enter", 1000), event("a", "exit", 2000),
                         event("a", "enter", 3000), event("a", "exit", 900)});
  Fold fold(rule, kSeed);
  const Unit& unit = fold.fold(records.all(), {});
  ASSERT_EQ(unit.too_late.size(), 1u);
  EXPECT_TRUE(unit.too_late[0].is_within_horizon);
  EXPECT_FALSE(unit.too_late[0].jump);
}

TEST(Fold, ArrivalOrderCountsAcceptedEventsThatCameOutOfOrder) {
  const Records records({event("a", "enter", 3000), event("a", "exit", 2000),
                         event("a", "exit", 1000), event("b", "enter", 1000)});
  Fold fold({}, kSeed);
  EXPECT_EQ(fold.fold(records.all(), {}).late, 1u);
  EXPECT_EQ(fold.fold({}, {}).late, 0u);
}

TEST(Fold, CorrectionsAreCountedBesideOutcomes) {
  const Records records({event("a", "enter", 1000), event("a", "enter", 3000),
                         event("a", "exit", 2000), event("a", "exit", 1500)});
  Fold fold(event_time_rule(), kSeed);
  const Unit& unit = fold.fold(records.all(), {});
  EXPECT_EQ(unit.totals[Outcome::accepted], 3u);
  EXPECT_EQ(unit.totals[Outcome::repeated_enter], 1u);
  EXPECT_EQ(unit.totals.promoted, 1u);
  EXPECT_EQ(unit.totals.retracted, 1u);
  EXPECT_EQ(unit.totals.inserts(), 4u);
  EXPECT_EQ(unit.totals.records(), 4u);
}

TEST(Fold, TouchedListsEachDeviceOnceInEveryUnit) {
  constexpr int kDevices = 10'000;
  std::vector<std::string> bytes;
  for (int i = 0; i < 2 * kDevices; ++i) {
    bytes.push_back(event(fmt::format("{}", i % kDevices), "enter", 1000));
  }
  const Records records(std::move(bytes));
  Fold fold({}, kSeed);
  for (int round = 0; round < 2; ++round) {
    const auto all_touched = fold.fold(records.all(), {}).touched;
    std::vector<DeviceIndex> touched(all_touched.begin(), all_touched.end());
    std::sort(touched.begin(), touched.end());
    ASSERT_EQ(touched.size(), static_cast<std::size_t>(kDevices));
    for (DeviceIndex i = 0; i < touched.size(); ++i) ASSERT_EQ(touched[i], i);
  }
  EXPECT_EQ(fold.totals()[Outcome::duplicate], 3u * kDevices);
}

class EveryOrder : public testing::TestWithParam<Rule> {};
INSTANTIATE_TEST_SUITE_P(Fold, EveryOrder, testing::Values(Rule{}, event_time_rule()));

TEST_P(EveryOrder, BatchesAndSeedsChangeNothing) {
  const auto records = mixture(500);
  Fold whole(GetParam(), kSeed);
  const auto outcomes = whole.fold(records.all(), {}).outcomes;
  const auto changes = whole.fold({}, {}).changes.size();
  EXPECT_EQ(changes, 0u);
  for (const std::size_t size : {1u, 63u, 64u, 65u, 127u, 200u}) {
    Fold fold(GetParam(), kSeed + size);
    std::vector<Outcome> all;
    for (std::size_t start = 0; start < records.size(); start += size) {
      const auto count = std::min(size, records.size() - start);
      const Unit& unit = fold.fold(records.part(start, count), {});
      all.insert(all.end(), unit.outcomes.begin(), unit.outcomes.end());
    }
    EXPECT_EQ(all, outcomes) << size;
    EXPECT_EQ(fold.totals(), whole.totals()) << size;
    EXPECT_EQ(states(fold), states(whole)) << size;
  }
}

TEST_P(EveryOrder, GoesOnFromWhatWasKept) {
  const auto records = mixture(300);
  Fold whole(GetParam(), kSeed);
  whole.fold(records.all(), {});
  Fold first(GetParam(), kSeed);
  first.fold(records.part(0, 150), {});
  Fold second(GetParam(), kSeed + 1);
  for (const auto& [id, state] : states(first)) {
    const auto number = static_cast<DeviceIndex>(second.device_count());
    const auto loaded = second.load_device(id, state);
    ASSERT_TRUE(loaded) << loaded.error().message;
    EXPECT_EQ(*loaded, number);
  }
  second.load_totals(first.totals());
  const auto known = second.device_count();
  EXPECT_EQ(second.fold(records.part(150, 150), {}).first_new, known);
  EXPECT_EQ(second.totals(), whole.totals());
  EXPECT_EQ(states(second), states(whole));
}

TEST(Fold, RefusesDevicesThatAreDamagedOrStoredTwice) {
  Fold source({}, kSeed);
  const Records records({event("a", "enter", 1000)});
  source.fold(records.all(), {});
  const auto state = states(source).at("a");
  const auto refusal = [](Fold& fold, const std::string& id, const std::string& record) {
    const auto loaded = fold.load_device(id, record);
    if (loaded) return std::string();
    EXPECT_EQ(loaded.error().kind, ErrorKind::fatal);
    return loaded.error().message;
  };
  Fold fold({}, kSeed);
  EXPECT_EQ(refusal(fold, "a", state), "");
  EXPECT_NE(refusal(fold, "a", state).find("a is stored twice"), std::string::npos);
  EXPECT_NE(refusal(fold, "", state), "");
  EXPECT_NE(refusal(fold, std::string(257, 'a'), state), "");
  EXPECT_NE(refusal(fold, "a\n", state), "");
  EXPECT_NE(refusal(fold, "b", state.substr(1)).find("device b"), std::string::npos);
  Fold other(event_time_rule(), kSeed);
  EXPECT_NE(refusal(other, "a", state).find("event_time"), std::string::npos);
}

TEST(Fold, TheClockIsCheckedToTheMillisecond) {
  Rule rule;
  rule.max_ahead = Milliseconds{10};
  rule.max_behind = Milliseconds{20};
  const std::int64_t now = to_ms(kNow);
  const Records records({event("a", "enter", now + 10), event("a", "exit", now + 11),
                         event("a", "exit", now - 20), event("a", "enter", now - 21)});
  Fold fold(rule, kSeed);
  EXPECT_THAT(fold.fold(records.all(), {}).outcomes,
              ElementsAre(Outcome::accepted, Outcome::future_timestamp, Outcome::accepted,
                          Outcome::past_timestamp));
  rule.clock_source = ClockSource::received;
  Fold received(rule, kSeed);
  EXPECT_THAT(
      received.fold(records.all(), {}).outcomes,
      ElementsAre(Outcome::accepted, Outcome::accepted, Outcome::repeated_exit, Outcome::accepted));
}

TEST(Fold, AnUnescapedIdOutlivesItsBatch) {
  const Records records({event(R"(\u0063am)", "enter", 1000), event("cam", "exit", 2000)});
  Fold fold({}, kSeed);
  fold.fold(records.part(0, 1), {});
  fold.fold(records.part(1, 1), {});
  EXPECT_EQ(fold.device_count(), 1u);
  EXPECT_EQ(fold.device_id(0), "cam");
}

// The aim is under 120 bytes a device at a million devices in arrival order.
TEST(Fold, HoldsAMillionDevicesInUnder120BytesEach) {
  constexpr int kDevices = 1'000'000;
  constexpr int kBatch = 50'000;
  Fold fold({}, kSeed);
  for (int start = 0; start < kDevices; start += kBatch) {
    std::vector<std::string> bytes;
    for (int i = start; i < start + kBatch; ++i) {
      bytes.push_back(event(fmt::format("camera-{:06}", i), "enter", 1000));
    }
    fold.fold(Records(std::move(bytes)).all(), {});
  }
  ASSERT_EQ(fold.device_count(), static_cast<std::size_t>(kDevices));
  EXPECT_LT(fold.state_bytes() / kDevices, 120u);
}

}  // namespace
}  // namespace dwell
