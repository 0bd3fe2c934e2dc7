// What ports/timeline_reader.h promises, on every reader.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <map>
#include <random>

#include "tests/contract/store_under_test.h"
#include "tests/fakes/one_partition.h"

namespace dwell {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr auto kEnter = EventType::enter;
constexpr auto kExit = EventType::exit;

class ReaderContract : public ::testing::TestWithParam<StoreKind> {
 protected:
  void write(const Script& script, const Rule& rule = {}, const RejectBounds& bounds = {},
             std::size_t batch = 7) {
    auto committer = store_->open(rule.order, bounds);
    ASSERT_TRUE(committer) << committer.error().message;
    Fold fold(rule, 1);
    const auto positions = restore_one(**committer, fold);
    ASSERT_TRUE(positions) << positions.error().message;
    for (std::size_t start = 0; start < script.size(); start += batch) {
      const auto records = records_of(script, start, std::min(batch, script.size() - start));
      const std::vector<Position> next = {
          {"script", static_cast<Offset>(start + records.size()), ""}};
      ASSERT_TRUE(commit_one(**committer, fold.fold(records, next), fold));
    }
    auto opened = store_->open_reader();
    ASSERT_TRUE(opened) << opened.error().message;
    reader_ = std::move(*opened);
  }

  std::vector<Row> timeline(const TimelineQuery& query) { return reader_->timeline(query).value(); }
  std::vector<Presence> presence(PresenceQuery query) {
    std::vector<Presence> all;
    for (;;) {
      const auto page = reader_->presence(query).value();
      EXPECT_LE(page.inside.size(), query.limit);
      all.insert(all.end(), page.inside.begin(), page.inside.end());
      if (!page.next) return all;
      EXPECT_GT(*page.next, query.after.value_or("")) << "pages move on";
      query.after = page.next;
    }
  }
  std::vector<RejectedRecord> rejected(const RejectedQuery& query) {
    return reader_->rejected(query).value();
  }
  StoreTotals totals() { return reader_->totals().value(); }

  std::unique_ptr<StoreUnderTest> store_ = GetParam().make();
  std::unique_ptr<TimelineReader> reader_;
};

Row row(std::int64_t ms, EventType type, std::uint64_t seq) {
  return {from_ms(ms), seq, type, seq};
}

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

// Three devices, each millisecond of a small range used often, so that pages end inside one.
Script crowded_script() {
  std::mt19937 random(7);
  Script script;
  for (int i = 0; i < 300; ++i) {
    const std::string device = fmt::format("cam-{}", random() % 3);
    const auto timestamp = static_cast<std::int64_t>(random() % 40);
    script.push_back(
        event_record(device, static_cast<EventType>(random() % 2), timestamp, 1000 + i));
  }
  return script;
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
  const auto device = reader_->device("cam-1").value();
  ASSERT_TRUE(device);
  EXPECT_EQ(device->last_run, row(3000, kExit, 2));
  EXPECT_EQ(device->first_seen, from_ms(1000));
  EXPECT_EQ(device->outcomes->last_seen, from_ms(4000));
  EXPECT_EQ(device->outcomes->accepted, 2u);
  EXPECT_EQ(device->outcomes->suppressed.repeated_enter, 1u);
  EXPECT_EQ(device->outcomes->suppressed.repeated_exit, 1u);
  EXPECT_FALSE(reader_->device("cam-3").value());
}

TEST_P(ReaderContract, PresenceIsWhatTheRowsFoldTo) {
  write(crowded_script());
  for (std::int64_t at = 0; at <= 41; ++at) {
    std::vector<Presence> expected;
    for (const std::string device : {"cam-0", "cam-1", "cam-2"}) {
      SessionFold sessions;
      for (const Row& row : timeline({.device = device, .end = from_ms(at)})) sessions.add(row);
      const auto folded = sessions.sessions();
      const bool is_inside = !folded.empty() && !folded.back().end;
      if (is_inside) expected.push_back({device, folded.back().begin.value()});
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

TEST_P(ReaderContract, RejectedRecordsKeepTheirBytesAndPlace) {
  const std::string bytes("\0\xff{", 3);
  write({raw_record(bytes, 1000),
         event_record("cam-1", kEnter, 1000, 1000),
         {"{\"a\":", from_ms(2000), 5000},
         event_record("", kEnter, 1000, 3000)});
  const auto all = rejected({});
  ASSERT_THAT(all, SizeIs(3));
  EXPECT_EQ(all[0].reason, "malformed");
  EXPECT_EQ(all[0].source, "script");
  EXPECT_EQ(all[0].offset, 0);
  EXPECT_EQ(all[0].received, from_ms(1000));
  EXPECT_EQ(all[0].bytes, bytes);
  EXPECT_EQ(all[0].truncated_from, 0u);
  EXPECT_EQ(all[1].reason, "too_large");
  EXPECT_EQ(all[1].truncated_from, 5000u);
  EXPECT_EQ(all[1].offset, 2);
  EXPECT_EQ(all[2].reason, "invalid_device_id");

  const auto ids = [&](const RejectedQuery& query) {
    std::vector<std::int64_t> ids;
    for (const RejectedRecord& record : rejected(query)) ids.push_back(record.id);
    return ids;
  };
  EXPECT_THAT(ids({.reason = "too_large"}), ElementsAre(all[1].id));
  EXPECT_THAT(ids({.id = all[2].id}), ElementsAre(all[2].id));
  EXPECT_THAT(ids({.after = all[0].id, .limit = 1}), ElementsAre(all[1].id));
  EXPECT_THAT(ids({.after = all[2].id}), IsEmpty());
  EXPECT_THAT(ids({.reason = "too_late"}), IsEmpty());
}

TEST_P(ReaderContract, RejectedRecordsAreDroppedByAgeFirstComeFirst) {
  RejectBounds bounds;
  bounds.max_age = Milliseconds{100};
  write({raw_record("a", 1000), raw_record("b", 1001), raw_record("c", 1101)}, {}, bounds, 1);
  const auto kept = rejected({});
  ASSERT_THAT(kept, SizeIs(2));  // 1001 is just not too old at 1101
  EXPECT_EQ(kept[0].bytes, "b");
  EXPECT_EQ(totals().rejects_kept, 2u);
  EXPECT_EQ(totals().rejects_dropped, 1u);
  EXPECT_EQ(totals().totals[Outcome::malformed], 3u);
}

TEST_P(ReaderContract, RejectedRecordsAreDroppedBySizeAcrossRestarts) {
  RejectBounds bounds;
  bounds.max_bytes = 2 * (128 + 10);
  write({raw_record("0123456789", 1000), raw_record("abcdefghij", 1001)}, {}, bounds);
  EXPECT_THAT(rejected({}), SizeIs(2));
  const auto last_id = rejected({}).back().id;
  write({raw_record("x", 1002)}, {}, bounds);
  const auto kept = rejected({});
  ASSERT_THAT(kept, SizeIs(2));
  EXPECT_EQ(kept[0].bytes, "abcdefghij");
  EXPECT_GT(kept[1].id, last_id);
  EXPECT_EQ(totals().rejects_dropped, 1u);

  bounds.max_bytes = 0;
  write({raw_record("y", 1003)}, {}, bounds);
  EXPECT_THAT(rejected({}), IsEmpty());
  EXPECT_EQ(totals().rejects_dropped, 4u);
  write({raw_record("z", 1004)}, {});
  EXPECT_GT(rejected({}).at(0).id, kept[1].id + 1);  // an id is never used twice
}

TEST_P(ReaderContract, TotalsCountEveryRecordOnce) {
  const Script script = mixed_script();
  write(script);
  const StoreTotals stored = totals();
  EXPECT_EQ(stored.order, Order::arrival);
  EXPECT_EQ(stored.totals.records(), script.size());
  EXPECT_EQ(stored.totals[Outcome::ignored], 3u);
  EXPECT_THAT(stored.totals.ignored_types, ElementsAre(Totals::IgnoredType{"heartbeat", 2},
                                                       Totals::IgnoredType{"status_update", 1}));
  EXPECT_EQ(stored.devices, 4u);
}

void expect_equation(const StoreTotals& stored) {
  EXPECT_EQ(stored.totals.inserts() - stored.totals.retracted,
            stored.rows + stored.absorbed - stored.faults);
}

// Redelivered beyond the duplicate window, an event is accepted again; its row is there already.
TEST_P(ReaderContract, AnInsertWhoseRowIsThereIsAbsorbedAndCounted) {
  Rule rule;
  rule.duplicate_window = 1;
  write({event_record("cam-1", kEnter, 1000, 9000), event_record("cam-1", kExit, 2000, 9000),
         event_record("cam-1", kEnter, 1000, 9000), event_record("cam-1", kExit, 2000, 9000)},
        rule, {}, 3);
  EXPECT_THAT(timeline({.device = "cam-1"}),
              ElementsAre(row(1000, kEnter, 1), row(2000, kExit, 2)));
  EXPECT_EQ(totals().rows, 2u);
  EXPECT_EQ(totals().absorbed, 2u);
  EXPECT_EQ(totals().faults, 0u);
  expect_equation(totals());
}

// A row inserted, retracted and inserted again within one unit ends as it would one by one.
TEST_P(ReaderContract, ChangesOfOneRowInOneUnitKeepTheirOrder) {
  Rule rule;
  rule.order = Order::event_time;
  write({event_record("cam-1", kEnter, 5000, 9000),   // row
         event_record("cam-1", kEnter, 1000, 9000),   // E5000 is a repeat now
         event_record("cam-1", kExit, 3000, 9000),    // E5000 is a row again
         event_record("cam-1", kEnter, 4000, 9000)},  // and a repeat once more
        rule);
  EXPECT_THAT(timeline({.device = "cam-1"}),
              ElementsAre(Row{from_ms(1000), 0, kEnter, 2}, Row{from_ms(3000), 0, kExit, 4},
                          Row{from_ms(4000), 0, kEnter, 6}));
  EXPECT_EQ(totals().totals.retracted, 2u);
  EXPECT_EQ(totals().totals.promoted, 1u);
  EXPECT_EQ(totals().rows, 3u);
  expect_equation(totals());
}

TEST_P(ReaderContract, TheEquationHoldsOnARandomStream) {
  for (const Order order : {Order::arrival, Order::event_time}) {
    store_ = GetParam().make();
    Rule rule = small_rule(order);
    rule.duplicate_window = 1;
    write(crowded_script(), rule);
    EXPECT_GT(totals().rows, 0u);
    expect_equation(totals());
    std::size_t listed = 0;
    for (const char* device : {"cam-0", "cam-1", "cam-2"}) {
      listed += timeline({.device = device}).size();
    }
    EXPECT_EQ(listed, totals().rows);
  }
}

TEST_P(ReaderContract, SeesWhatIsCommittedWhileItIsOpen) {
  write({event_record("cam-1", kEnter, 1000, 9000)});
  auto earlier = std::move(reader_);
  write({event_record("cam-1", kExit, 2000, 9000)});
  EXPECT_THAT(earlier->timeline({.device = "cam-1"}).value(), SizeIs(2));
  EXPECT_THAT(earlier->presence({}).value().inside, IsEmpty());
}

// Every store gives the same answers, down to the line.
TEST(AllReaders, AgreeOnTheMixedScript) {
  const Script script = mixed_script();
  for (const Order order : {Order::arrival, Order::event_time}) {
    std::map<std::string, Lines> lines;
    for (const StoreKind& kind : all_stores()) {
      auto store = kind.make();
      {
        auto committer = store->open(order);
        ASSERT_TRUE(committer);
        Fold fold(small_rule(order), 1);
        ASSERT_TRUE(restore_one(**committer, fold));
        const auto records = records_of(script, 0, script.size());
        const std::vector<Position> next = {{"script", 24, ""}};
        ASSERT_TRUE(commit_one(**committer, fold.fold(records, next), fold));
      }
      lines[kind.name] = restored_lines(*store, small_rule(order));
    }
    EXPECT_GT(lines["memory"].size(), 20u);
    EXPECT_EQ(lines["memory"], lines["sqlite"]);
  }
}

INSTANTIATE_TEST_SUITE_P(Stores, ReaderContract, ::testing::ValuesIn(all_stores()),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace dwell
