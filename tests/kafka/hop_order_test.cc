#include "kafka/flow/hop_order.h"

#include <gtest/gtest.h>
#include <random>
#include <utility>

#include "core/fold.h"
#include "tests/fakes/scripted_source.h"

namespace dwell {
namespace {

using std::chrono::seconds;

constexpr Timestamp kStart = from_ms(1'700'000'000'000);
constexpr std::size_t kPlenty = 1 << 30;

HopRecord old_one(std::int64_t ms) {
  return {kStart + Milliseconds(ms), false, 1};
}

HopRecord fresh_one(std::int64_t ms) {
  return {kStart + Milliseconds(ms), true, 1};
}

std::vector<PartitionId> released(HopOrder& order, HopOrder::Moment now = {}) {
  std::vector<PartitionId> all;
  order.begin(now);
  while (const auto partition = order.next()) all.push_back(*partition);
  return all;
}

using Partitions = std::vector<PartitionId>;

TEST(HopOrder, TheEarliestOfTheFirstGoesNext) {
  HopOrder order(kPlenty);
  order.open(0, {});
  order.open(1, {});
  for (const int ms : {10, 30, 20}) order.add(0, old_one(ms), {});
  for (const int ms : {15, 25, 40}) order.add(1, old_one(ms), {});
  order.set_at_end(0, true);
  order.set_at_end(1, true);
  // 20 stands behind 30 in its partition, and so it is after 25.
  EXPECT_EQ(released(order), (Partitions{0, 1, 1, 0, 0, 1}));
}

TEST(HopOrder, APartitionWithoutARecordIsWaitedFor) {
  HopOrder order(kPlenty);
  order.open(0, {});
  order.open(1, {});
  order.add(0, old_one(10), {});
  EXPECT_EQ(released(order), Partitions());
  order.add(1, old_one(5), {});
  EXPECT_EQ(released(order), Partitions{1}) << "then 1 may still send an earlier one than 10";
  order.set_at_end(1, true);
  EXPECT_EQ(released(order), Partitions{0});
}

TEST(HopOrder, OneThatSendsNothingIsWaitedForUpToItsPatience) {
  HopOrder order(kPlenty);
  order.open(0, {});  // its leader is away
  order.open(1, {});
  order.add(1, old_one(10), seconds(2));
  EXPECT_EQ(released(order, seconds(9)), Partitions());
  EXPECT_EQ(released(order, seconds(10)), Partitions{1});
  order.add(1, old_one(20), seconds(11));
  EXPECT_EQ(released(order, seconds(11)), Partitions{1}) << "and then not again and again";
  order.add(0, old_one(1), seconds(12));
  EXPECT_EQ(released(order, seconds(12)), Partitions()) << "1 moved a second ago";
  EXPECT_EQ(released(order, seconds(21)), Partitions{0});
}

TEST(HopOrder, AFreshRecordWaitsForNone) {
  HopOrder order(kPlenty);
  for (PartitionId i = 0; i < 3; ++i) order.open(i, {});  // 0 sends nothing
  order.add(1, fresh_one(-200'000'000'000), {});          // of 2017: a backfill beside live traffic
  order.add(1, fresh_one(0), {});
  order.add(2, fresh_one(-1), {});
  EXPECT_EQ(released(order), (Partitions{1, 2, 1}));
  order.add(1, old_one(5), {});
  order.add(1, fresh_one(6), {});
  order.add(2, fresh_one(7), {});
  EXPECT_EQ(released(order), Partitions{2}) << "those of a partition stay in their order";
}

TEST(HopOrder, APartitionThatCameAgainBeginsAnew) {
  HopOrder order(kPlenty);
  order.open(0, {});
  order.add(0, old_one(10), {});
  order.close(0);
  order.open(0, {});
  order.set_at_end(0, true);
  EXPECT_EQ(released(order), Partitions());
}

TEST(HopOrder, APartitionIsFullWithItsShareUntilHalfOfItIsGone) {
  HopOrder order(200);
  order.open(0, {});
  order.open(1, {});
  order.add(0, {kStart, false, 60}, {});
  EXPECT_FALSE(order.is_full(0));
  order.add(0, {kStart, false, 30}, {});
  order.add(0, {kStart, false, 20}, {});
  EXPECT_TRUE(order.is_full(0));
  EXPECT_FALSE(order.is_full(1));
  order.set_at_end(1, true);
  order.begin({});
  EXPECT_EQ(order.next(), 0);
  EXPECT_FALSE(order.is_full(0)) << "50 of 100";
}

// Reads partitions in bursts, as a client does, and checks the order against a merge of the whole.
class HopOrderProperty : public testing::TestWithParam<unsigned> {};

TEST_P(HopOrderProperty, BurstsDoNotMatter) {
  std::mt19937 random(GetParam());
  const auto up_to = [&](std::size_t n) { return random() % (n + 1); };
  std::vector<std::vector<HopRecord>> all(1 + up_to(7));
  for (auto& partition : all) {
    std::int64_t ms = 0;
    for (std::size_t i = up_to(200); i > 0; --i) {
      ms += static_cast<std::int64_t>(up_to(20)) - 5;
      partition.push_back(old_one(ms));
    }
  }

  Partitions wanted;
  std::vector<std::size_t> place(all.size());
  for (;;) {
    std::optional<std::pair<Timestamp, PartitionId>> first;
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (place[i] == all[i].size()) continue;
      const std::pair head(all[i][place[i]].own, static_cast<PartitionId>(i));
      if (!first || head < *first) first = head;
    }
    if (!first) break;
    wanted.push_back(first->second);
    ++place[static_cast<std::size_t>(first->second)];
  }

  HopOrder order(4'000);
  std::vector<std::size_t> read(all.size());
  for (std::size_t i = 0; i < all.size(); ++i) order.open(static_cast<PartitionId>(i), {});
  Partitions found;
  HopOrder::Moment now{};
  for (int turns = 0; found.size() < wanted.size(); ++turns) {
    ASSERT_LT(turns, 100'000) << "it stands still";
    const std::size_t i = up_to(all.size() - 1);
    const auto partition = static_cast<PartitionId>(i);
    if (!order.is_full(partition)) {
      for (std::size_t burst = up_to(50); burst > 0 && read[i] < all[i].size(); --burst) {
        order.add(partition, all[i][read[i]++], now);
      }
    }
    order.set_at_end(partition, read[i] == all[i].size());
    const auto went = released(order, now);
    found.insert(found.end(), went.begin(), went.end());
  }
  EXPECT_EQ(found, wanted);
}

INSTANTIATE_TEST_SUITE_P(Seeds, HopOrderProperty, testing::Range(1U, 60U));

// A backlog of three days of 100 devices, whose events lie in any of 8 partitions, read 50 at a
// time; how many are too late for the rule, in the order of the hop and as they come.
std::pair<std::uint64_t, std::uint64_t> late_in_backlog(unsigned seed) {
  constexpr std::size_t kPartitions = 8;
  constexpr int kEvents = 3'600;
  constexpr std::int64_t kStep = 3 * 24 * 3'600'000LL / kEvents;
  std::mt19937 random(seed);
  Script script;
  std::vector<std::vector<std::size_t>> all(kPartitions);
  std::vector<EventType> next(100, EventType::enter);
  for (int i = 0; i < kEvents; ++i) {
    const std::size_t device = random() % next.size();
    const auto ms = to_ms(kStart) + i * kStep;
    all[random() % kPartitions].push_back(script.size());
    script.push_back(event_record(fmt::format("d{}", device), next[device], ms, ms));
    next[device] = opposite(next[device]);
  }

  Script as_read;
  Script in_order;
  HopOrder order(kPlenty);
  std::vector<std::size_t> read(kPartitions);
  std::vector<std::size_t> gone(kPartitions);
  for (PartitionId i = 0; i < static_cast<PartitionId>(kPartitions); ++i) order.open(i, {});
  while (in_order.size() < script.size()) {
    const std::size_t i = random() % kPartitions;
    for (int k = 0; k < 50 && read[i] < all[i].size(); ++k) {
      const ScriptedRecord& record = script[all[i][read[i]++]];
      as_read.push_back(record);
      order.add(static_cast<PartitionId>(i), {record.now, false, 1}, {});
    }
    order.set_at_end(static_cast<PartitionId>(i), read[i] == all[i].size());
    for (const PartitionId one : released(order)) {
      const auto at = static_cast<std::size_t>(one);
      in_order.push_back(script[all[at][gone[at]++]]);
    }
  }

  const auto late = [](const Script& records) {
    Rule rule;
    rule.order = Order::event_time;
    Fold fold(rule, 1);
    const auto list = records_of(records, 0, records.size());
    const Position position{"backlog", static_cast<Offset>(list.size()), ""};
    const Unit& unit = fold.fold(list, {&position, 1});
    return static_cast<std::uint64_t>(unit.too_late.size());
  };
  return {late(in_order), late(as_read)};
}

TEST(HopOrder, ABacklogOfDaysIsNotTooLate) {
  std::uint64_t without = 0;
  for (unsigned seed = 1; seed <= 5; ++seed) {
    const auto [late, as_read] = late_in_backlog(seed);
    EXPECT_EQ(late, 0U) << "seed " << seed;
    without += as_read;
  }
  EXPECT_GT(without, 0U) << "else this shows nothing";
}

}  // namespace
}  // namespace dwell
