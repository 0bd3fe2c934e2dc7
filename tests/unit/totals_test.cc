#include "core/totals.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace dwell {
namespace {

using namespace std::string_literals;

std::uint64_t count_of(const Totals& totals, const std::string& type) {
  for (const auto& ignored : totals.ignored_types) {
    if (ignored.type == type) return ignored.count;
  }
  return 0;
}

TEST(Totals, RecordsAreTheSumOfAllOutcomes) {
  Totals totals;
  EXPECT_EQ(totals.records(), 0u);
  for (std::size_t i = 0; i < kOutcomeCount; ++i) totals.outcomes[i] = std::size_t{1} << i;
  EXPECT_EQ(totals.records(), (std::uint64_t{1} << kOutcomeCount) - 1);
  totals.promoted = totals.retracted = 1000;
  EXPECT_EQ(totals.records(), (std::uint64_t{1} << kOutcomeCount) - 1);
}

TEST(Totals, InsertsAreAcceptedAndPromoted) {
  Totals totals;
  totals[Outcome::accepted] = 5;
  totals[Outcome::duplicate] = 9;
  totals.promoted = 2;
  totals.retracted = 1;
  EXPECT_EQ(totals.inserts(), 7u);
}

TEST(Totals, IgnoredRecordsAreCountedByTypeInOrderOfAppearance) {
  Totals totals;
  for (const auto type : {"heartbeat", "status_update", "heartbeat"}) totals.count_ignored(type);
  EXPECT_EQ(totals[Outcome::ignored], 3u);
  EXPECT_EQ(totals.ignored_types,
            (std::vector<Totals::IgnoredType>{{"heartbeat", 2}, {"status_update", 1}}));
}

TEST(Totals, NamesABoundedNumberOfTypes) {
  Totals totals;
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 100; ++i) totals.count_ignored(fmt::format("type-{}", i));
  }
  EXPECT_EQ(totals.ignored_types.size(), Totals::kNamedTypes + 1);
  EXPECT_EQ(count_of(totals, "type-0"), 2u);
  EXPECT_EQ(count_of(totals, "type-31"), 2u);
  EXPECT_EQ(count_of(totals, "type-32"), 0u);
  EXPECT_EQ(count_of(totals, "other"), 2u * (100 - Totals::kNamedTypes));
  EXPECT_EQ(totals[Outcome::ignored], 200u);
}

TEST(Totals, OtherTakesNoNameAway) {
  Totals totals;
  totals.count_ignored("");
  for (int i = 0; i < 33; ++i) totals.count_ignored(fmt::format("type-{}", i));
  EXPECT_EQ(count_of(totals, "type-31"), 1u);
  EXPECT_EQ(count_of(totals, "other"), 2u);
}

TEST(Totals, WhatCannotBeShownIsOther) {
  Totals totals;
  const auto longest = std::string(Totals::kLongestNamedType, 'a');
  for (const auto& type : {""s, "a\nb"s, "\0"s, "\x7f"s, "\xc2\x85"s, "\xff"s, longest + "a"}) {
    totals.count_ignored(type);
  }
  totals.count_ignored(longest);
  EXPECT_EQ(count_of(totals, "other"), 7u);
  EXPECT_EQ(count_of(totals, longest), 1u);
  EXPECT_EQ(totals.ignored_types.size(), 2u);
}

TEST(Totals, ATypeThatIsCalledOtherIsOther) {
  Totals totals;
  totals.count_ignored("other");
  totals.count_ignored("");
  EXPECT_EQ(totals.ignored_types, (std::vector<Totals::IgnoredType>{{"other", 2}}));
}

TEST(Totals, ADifferenceIsWhatWasCountedSince) {
  Totals before;
  before[Outcome::accepted] = 3;
  before.promoted = 1;
  before.count_ignored("heartbeat");
  before.count_ignored("status");
  Totals after = before;
  after[Outcome::accepted] += 2;
  after[Outcome::too_late] += 1;
  after.retracted += 4;
  after.count_ignored("status");
  after.count_ignored("new");
  const Totals difference = after - before;
  EXPECT_EQ(difference[Outcome::accepted], 2u);
  EXPECT_EQ(difference[Outcome::too_late], 1u);
  EXPECT_EQ(difference[Outcome::ignored], 2u);
  EXPECT_EQ(difference.promoted, 0u);
  EXPECT_EQ(difference.retracted, 4u);
  EXPECT_EQ(difference.ignored_types,
            (std::vector<Totals::IgnoredType>{{"status", 1}, {"new", 1}}));
  EXPECT_EQ(after - after, Totals{});
}

TEST(Outcomes, HaveNamesAndFallIntoTheDocumentedGroups) {
  EXPECT_EQ(name(Outcome::accepted), "accepted");
  EXPECT_EQ(name(Outcome::initial_exit), "initial_exit");
  EXPECT_EQ(name(Outcome::ignored), "ignored");
  EXPECT_EQ(name(Outcome::too_large), "too_large");
  std::string suppressed, rejected;
  for (std::size_t i = 0; i < kOutcomeCount; ++i) {
    const auto outcome = static_cast<Outcome>(i);
    if (is_suppressed(outcome)) suppressed += fmt::format("{} ", name(outcome));
    if (is_rejected(outcome)) rejected += fmt::format("{} ", name(outcome));
  }
  EXPECT_EQ(suppressed, "repeated_enter repeated_exit duplicate initial_exit ");
  EXPECT_EQ(rejected,
            "malformed invalid_device_id invalid_timestamp future_timestamp past_timestamp "
            "too_late too_large invalid_event_type ");
}

}  // namespace
}  // namespace dwell
