// What ports/store_report.h promises of rejected records and totals, on the stores
// that keep them.
#include <fmt/format.h>
#include <map>

#include "tests/contract/reader_contract.h"

namespace dwell {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using StoredContract = ReaderContract;

TEST_P(StoredContract, RejectedRecordsKeepTheirBytesAndPlace) {
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

TEST_P(StoredContract, RejectedRecordsAreDroppedByAgeFirstComeFirst) {
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

// Ten years ahead, and back again: what the wrong time drops is two for each record that came then.
TEST_P(StoredContract, AClockThatIsWrongForAMomentCostsFewRejectedRecords) {
  constexpr std::int64_t kToday = 1'751'932'800'000;
  constexpr std::int64_t kTenYears = 3'650ll * 86'400'000;
  Script script(20, raw_record("old", kToday));
  script.push_back(raw_record("wrong", kToday + kTenYears));
  for (int i = 0; i < 20; ++i) script.push_back(raw_record("new", kToday + 1));
  write(script, {}, {}, 1);
  EXPECT_EQ(totals().rejects_dropped, 2u);
  EXPECT_THAT(rejected({}), SizeIs(39));
}

// A record from a time that never was is no reason to keep those behind it.
TEST_P(StoredContract, ARecordFromTheFutureHoldsUpNoRetention) {
  RejectBounds bounds;
  bounds.max_age = Milliseconds{100};
  write({raw_record("wrong", 900'000), raw_record("a", 1000), raw_record("b", 1001),
         raw_record("c", 1200), raw_record("d", 1201)},
        {}, bounds, 1);
  const auto kept = rejected({});
  ASSERT_THAT(kept, SizeIs(2));
  EXPECT_EQ(kept[0].bytes, "c");
}

TEST_P(StoredContract, RejectedRecordsAreDroppedBySizeAcrossRestarts) {
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

TEST_P(StoredContract, TotalsCountEveryRecordOnce) {
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
TEST_P(StoredContract, AnInsertWhoseRowIsThereIsAbsorbedAndCounted) {
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

// What a device's window has let go of, sent again.
TEST_P(StoredContract, LateEventsThatTheRowsShowAreNotKeptAsRejected) {
  Rule rule;
  rule.order = Order::event_time;
  rule.window_max = 1;
  const Script script = {event_record("cam-1", kEnter, 1000, 9000),
                         event_record("cam-1", kExit, 2000, 9000),
                         event_record("cam-1", kEnter, 3000, 9000),
                         event_record("cam-1", kEnter, 1000, 9000),  // a row
                         event_record("cam-1", kExit, 1500, 9000),   // was never told
                         event_record("cam-1", kEnter, 1500, 9000),  // repeats the one before
                         event_record("cam-1", kExit, 2000, 9000),   // a row
                         event_record("cam-1", kExit, 500, 9000)};   // before all rows
  for (const std::size_t batch : {1u, 3u, 8u}) {
    store_ = GetParam().make();
    write(script, rule, {}, batch);
    EXPECT_EQ(totals().totals[Outcome::too_late], 5u);
    EXPECT_EQ(totals().known_late, 3u);
    const auto kept = rejected({});
    ASSERT_THAT(kept, SizeIs(2));
    EXPECT_EQ(kept[0].offset, 4);
    EXPECT_EQ(kept[1].offset, 7);
  }
}

TEST_P(StoredContract, EventsOutOfOrderAreCountedInArrivalOrder) {
  write({event_record("cam-1", kEnter, 5000, 9000), event_record("cam-1", kExit, 4000, 9000),
         event_record("cam-1", kExit, 3000, 9000), event_record("cam-1", kEnter, 6000, 9000)},
        {}, {}, 1);
  EXPECT_EQ(totals().late, 1u);
  EXPECT_EQ(totals().known_late, 0u);
}

// A row inserted, retracted and inserted again within one unit ends as it would one by one.
TEST_P(StoredContract, ChangesOfOneRowInOneUnitKeepTheirOrder) {
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

TEST_P(StoredContract, TheEquationHoldsOnARandomStream) {
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

INSTANTIATE_TEST_SUITE_P(Stores, StoredContract, ::testing::ValuesIn(all_stores()),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace dwell
