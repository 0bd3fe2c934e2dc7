// What the questions that the API asks promise, on every reader.
#include "tests/contract/reader_contract.h"

#include "questions/stays.h"

namespace dwell {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST_P(ReaderContract, RowsComeByTimeAndEqualMillisecondsByRank) {
  write({event_record("cam-1", kExit, 3000, 9000), event_record("cam-1", kEnter, 3000, 9000),
         event_record("cam-1", kExit, 2000, 9000), event_record("cam-1", kEnter, 2000, 9000),
         event_record("cam-2", kEnter, 2000, 9000)});
  EXPECT_THAT(timeline({.device = "cam-1"}),
              ElementsAre(row(2000, kExit, 3), row(2000, kEnter, 4), row(3000, kExit, 1),
                          row(3000, kEnter, 2)));
}

TEST_P(ReaderContract, ByEventTimeTheFirstToArriveStandsFirstInItsMillisecond) {
  Rule rule;
  rule.order = Order::event_time;
  write({event_record("cam-1", kExit, 3000, 9000), event_record("cam-1", kEnter, 3000, 9000),
         event_record("cam-1", kEnter, 2000, 9000), event_record("cam-1", kExit, 2000, 9000)},
        rule);
  const auto rows = timeline({.device = "cam-1"});
  // E2000 X2000 E3000: the exit of 3000 came first there, and repeats the one before it.
  EXPECT_THAT(rows, ElementsAre(Row{from_ms(2000), 0, kEnter, 3}, Row{from_ms(2000), 1, kExit, 4},
                                Row{from_ms(3000), 1, kEnter, 2}));
}

TEST_P(ReaderContract, StartAndEndAreInclusive) {
  write({event_record("cam-1", kEnter, 1000, 9000), event_record("cam-1", kExit, 2000, 9000),
         event_record("cam-1", kEnter, 3000, 9000)});
  const auto between = [&](std::int64_t start, std::int64_t end) {
    return timeline({.device = "cam-1", .start = from_ms(start), .end = from_ms(end)});
  };
  EXPECT_THAT(between(1000, 2000), SizeIs(2));
  EXPECT_THAT(between(1001, 1999), IsEmpty());
  EXPECT_THAT(between(2000, 2000), ElementsAre(row(2000, kExit, 2)));
  EXPECT_THAT(between(3000, 1000), IsEmpty());
  EXPECT_THAT(timeline({.device = "cam-9"}), IsEmpty());
}

TEST_P(ReaderContract, PagesOfEverySizeGiveTheWholeList) {
  write(crowded_script());
  const auto whole = timeline({.device = "cam-1"});
  ASSERT_GT(whole.size(), 30u);
  EXPECT_TRUE(std::is_sorted(whole.begin(), whole.end(), comes_before));
  for (std::size_t limit = 1; limit <= whole.size() + 1; ++limit) {
    TimelineQuery query{.device = "cam-1", .limit = limit};
    std::vector<Row> rows;
    for (auto page = timeline(query); !page.empty(); page = timeline(query)) {
      ASSERT_LE(page.size(), limit);
      rows.insert(rows.end(), page.begin(), page.end());
      ASSERT_LE(rows.size(), whole.size()) << "limit " << limit;
      query.after = rows.back();
    }
    EXPECT_EQ(rows, whole) << "limit " << limit;
  }
}

TEST_P(ReaderContract, NewestFirstIsTheSameListTurnedAround) {
  write(crowded_script());
  TimelineQuery query{.device = "cam-1", .start = from_ms(3), .end = from_ms(35)};
  auto whole = timeline(query);
  ASSERT_GT(whole.size(), 20u);
  std::reverse(whole.begin(), whole.end());
  query.order = RowOrder::descending;
  for (query.limit = 1; query.limit <= whole.size() + 1; ++query.limit) {
    std::vector<Row> rows;
    query.after = std::nullopt;
    for (auto page = timeline(query); !page.empty(); page = timeline(query)) {
      rows.insert(rows.end(), page.begin(), page.end());
      ASSERT_LE(rows.size(), whole.size()) << "limit " << query.limit;
      query.after = rows.back();
    }
    EXPECT_EQ(rows, whole) << "limit " << query.limit;
  }
}

TEST_P(ReaderContract, ADeviceIsReportedFromItsRowsAndItsState) {
  write({event_record("cam-1", kEnter, 1000, 9000), event_record("cam-1", kEnter, 2000, 9000),
         event_record("cam-1", kExit, 3000, 9000), event_record("cam-1", kExit, 4000, 9000),
         event_record("cam-2", kEnter, 1500, 9000)});
  const auto device = answers_->device("cam-1").value();
  ASSERT_TRUE(device);
  EXPECT_EQ(device->last_run, row(3000, kExit, 2));
  EXPECT_EQ(device->first_seen, from_ms(1000));
  EXPECT_FALSE(answers_->device("cam-3").value());
  EXPECT_EQ(device->outcomes->last_seen, from_ms(4000));
  EXPECT_EQ(device->outcomes->accepted, 2u);
  EXPECT_EQ(device->outcomes->suppressed.repeated_enter, 1u);
  EXPECT_EQ(device->outcomes->suppressed.repeated_exit, 1u);
}

TEST_P(ReaderContract, ADeviceWithoutRowsIsReportedFromItsState) {
  Rule rule;
  rule.first_exit = FirstExit::suppress;
  write({event_record("cam-1", kExit, 1000, 9000), event_record("cam-1", kExit, 2000, 9000)}, rule);
  const auto device = answers_->device("cam-1").value();
  ASSERT_TRUE(device);
  EXPECT_FALSE(device->last_run);
  EXPECT_EQ(device->first_seen, from_ms(2000));
  EXPECT_EQ(device->outcomes->last_seen, from_ms(2000));
  EXPECT_EQ(device->outcomes->accepted, 0u);
  EXPECT_EQ(device->outcomes->suppressed.initial_exit, 1u);
  EXPECT_EQ(device->outcomes->suppressed.repeated_exit, 1u);
}

TEST_P(ReaderContract, PresenceIsWhatTheRowsFoldTo) {
  write(crowded_script());
  for (std::int64_t at = 0; at <= 41; ++at) {
    std::vector<Presence> expected;
    for (const std::string device : {"cam-0", "cam-1", "cam-2"}) {
      StayFold stays;
      for (const Row& row : timeline({.device = device, .end = from_ms(at)})) stays.add(row);
      const auto folded = stays.stays();
      const bool is_inside = !folded.empty() && !folded.back().exit;
      if (is_inside) expected.push_back({device, folded.back().enter.value()});
    }
    EXPECT_EQ(presence({.at = from_ms(at)}), expected) << "at " << at;
  }
}

TEST_P(ReaderContract, PresencePagesFollowTheBytesOfTheIds) {
  // By bytes, upper case comes first and ü last.
  Script script;
  for (const char* device : {"b", "ü", "B", "a", "aa", "out"}) {
    script.push_back(event_record(device, kEnter, 1000, 9000));
  }
  script.push_back(event_record("out", kExit, 2000, 9000));
  write(script);
  std::vector<std::string> all;
  for (const Presence& inside : presence({})) all.push_back(inside.device);
  EXPECT_THAT(all, ElementsAre("B", "a", "aa", "b", "ü"));
  for (std::size_t limit = 1; limit <= 6; ++limit) {
    std::vector<std::string> devices;
    for (const Presence& inside : presence({.limit = limit})) devices.push_back(inside.device);
    EXPECT_EQ(devices, all) << "limit " << limit;
  }
}

TEST_P(ReaderContract, SeesWhatIsCommittedWhileItIsOpen) {
  write({event_record("cam-1", kEnter, 1000, 9000)});
  const auto earlier = std::move(reader_);
  write({event_record("cam-1", kExit, 2000, 9000)});
  Questions answers(store_->context(), *earlier);
  EXPECT_THAT(answers.timeline({.device = "cam-1"}).value(), SizeIs(2));
  EXPECT_THAT(answers.presence({}).value().inside, IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Stores, ReaderContract, ::testing::ValuesIn(all_stores()),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace dwell
