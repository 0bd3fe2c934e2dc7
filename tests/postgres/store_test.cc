// The law of postgres/postgres_store.h, with the database that DWELL_TEST_POSTGRES
// names; run by test_store_contract.py, which makes it.
#include <gmock/gmock.h>
#include <random>
#include <set>

#include "postgres/migrations.h"
#include "postgres/postgres_store.h"
#include "postgres/upkeep.h"
#include "tests/postgres/test_database.h"

namespace dwell {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

RowChange change(Operation operation, std::string_view device, std::int64_t ms, EventType type,
                 std::uint64_t seq) {
  return {device, from_ms(ms), type, operation, seq, seq};
}
RowChange enter(std::string_view device, std::int64_t ms, std::uint64_t seq) {
  return change(Operation::insert, device, ms, EventType::enter, seq);
}
RowChange retract(std::string_view device, std::int64_t ms, std::uint64_t seq) {
  return change(Operation::retract, device, ms, EventType::enter, seq);
}

class PostgresStoreContract : public ::testing::Test {
 protected:
  PostgresStoreContract() {
    auto database = connect();
    EXPECT_TRUE(migrate(*database, 0));
    EXPECT_TRUE(migrate(*database));
  }

  // A store that is where the database has its partitions.
  std::unique_ptr<PostgresStore> store(std::vector<StorePosition>* found = nullptr) {
    auto opened = PostgresStore::open(connect());
    EXPECT_TRUE(opened) << opened.error().message;
    auto positions = (*opened)->positions(starts_);
    EXPECT_TRUE(positions) << positions.error().message;
    if (found) *found = *positions;
    return std::move(*opened);
  }

  StorePosition at(Offset next, PartitionId partition = 0) const {
    return {partition, "cluster", "cleaned", next,
            StorePosition::Last{next - 1, {1, 2, 3, static_cast<unsigned char>(next)}}};
  }

  Result<void> commit(PostgresStore& store, const std::vector<RowChange>& changes, Offset next) {
    const RowSlice slice{changes, 0, at(next)};
    return store.commit({&slice, 1});
  }

  std::vector<std::string> rows() {
    auto found = connect()->execute(
        "SELECT device_id || ' ' || timestamp || ' ' || event_type || ' ' || rank || ' ' || "
        "coalesce(seq::text, '-') FROM device_events_cleaned ORDER BY 1");
    EXPECT_TRUE(found);
    std::vector<std::string> lines;
    for (int i = 0; i < found->rows(); ++i) lines.emplace_back(found->bytes(i, 0));
    return lines;
  }

  static bool is_hypertable() {
    return connect()->execute("SELECT FROM dwell_fact WHERE name = 'hypertable'").value().rows() ==
           1;
  }

  // inserts, retracts, absorbed, faults, rejected of all partitions
  std::vector<std::int64_t> counts() {
    auto found = connect()->run(
        "SELECT sum(inserts)::bigint, sum(retracts)::bigint, sum(absorbed)::bigint, "
        "sum(faults)::bigint, sum(rejected)::bigint FROM dwell_position",
        {});
    EXPECT_TRUE(found);
    std::vector<std::int64_t> all;
    for (int i = 0; i < 5; ++i) all.push_back(found->integer(0, i));
    return all;
  }

  // inserts - (retracts - faults) = rows - adopted + absorbed
  void expect_sums() {
    const auto all = counts();
    EXPECT_EQ(all[0] - (all[1] - all[3]), static_cast<std::int64_t>(rows().size()) + all[2]);
  }

  std::vector<StorePosition> starts_{{0, "cluster", "cleaned", 0}};
};

TEST_F(PostgresStoreContract, AFreshPartitionBeginsWhereItIsTold) {
  starts_ = {{0, "cluster", "cleaned", 7}, {3, "cluster", "cleaned", 0}};
  std::vector<StorePosition> found;
  store(&found);
  EXPECT_EQ(found, starts_);
  // From then on the database says where.
  starts_[0].next = 9;
  store(&found);
  EXPECT_EQ(found[0].next, 7);
}

TEST_F(PostgresStoreContract, AfterACommitAnyProcessIsBehindIt) {
  auto one = store();
  ASSERT_TRUE(commit(*one, {enter("b", 2000, 1), enter("a", 1000, 1)}, 2));
  ASSERT_TRUE(commit(*one, {}, 5));
  ASSERT_TRUE(commit(*one, {enter("a", 3000, 2)}, 6));
  std::vector<StorePosition> found;
  store(&found);
  EXPECT_EQ(found, std::vector{at(6)});
  EXPECT_THAT(rows(), ElementsAre("a 1000 device_enter 1 1", "a 3000 device_enter 2 2",
                                  "b 2000 device_enter 1 1"));
  EXPECT_THAT(counts(), ElementsAre(3, 0, 0, 0, 0));
}

TEST_F(PostgresStoreContract, OfTwoFromOnePositionOneWins) {
  auto one = store();
  auto two = store();
  ASSERT_TRUE(commit(*one, {enter("a", 1000, 1)}, 1));
  const auto lost = commit(*two, {enter("z", 9000, 1)}, 1);
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().kind, ErrorKind::lost_ownership);
  EXPECT_THAT(lost.error().message, HasSubstr("cleaned/0"));
  EXPECT_THAT(rows(), ElementsAre("a 1000 device_enter 1 1"));
  ASSERT_TRUE(commit(*one, {enter("a", 2000, 2)}, 2));
}

TEST_F(PostgresStoreContract, AnUncommittedBatchLeavesNothing) {
  auto one = store();
  ASSERT_TRUE(commit(*one, {enter("a", 1000, 1)}, 1));
  ASSERT_TRUE(connect()->execute(
      "ALTER TABLE device_events_cleaned ADD CONSTRAINT no_z CHECK (device_id <> 'z')"));
  const auto failed = commit(*one, {enter("b", 1, 1), enter("z", 1, 1)}, 3);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().kind, ErrorKind::fatal);
  std::vector<StorePosition> found;
  store(&found);
  EXPECT_EQ(found, std::vector{at(1)});
  EXPECT_THAT(rows(), ElementsAre("a 1000 device_enter 1 1"));
}

TEST_F(PostgresStoreContract, AStoreThatRefusedARowMayBeUsedOn) {
  auto one = store();
  ASSERT_TRUE(connect()->execute(
      "ALTER TABLE device_events_cleaned ADD CONSTRAINT no_z CHECK (device_id <> 'z')"));
  ASSERT_FALSE(commit(*one, {enter("b", 1, 1), enter("z", 1, 1)}, 3));
  ASSERT_TRUE(commit(*one, {enter("b", 1, 1)}, 1));
  const RowSlice without{{}, 1, at(3)};
  ASSERT_TRUE(one->commit({&without, 1}));
  EXPECT_THAT(rows(), ElementsAre("b 1 device_enter 1 1"));
  EXPECT_THAT(counts(), ElementsAre(1, 0, 0, 0, 1));
}

TEST_F(PostgresStoreContract, APositionThatIsRefusedIsNoRow) {
  auto one = store();
  ASSERT_TRUE(
      connect()->execute("ALTER TABLE dwell_position ADD CONSTRAINT no_3 CHECK (next <> 3)"));
  const auto failed = commit(*one, {enter("b", 1, 1)}, 3);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().kind, ErrorKind::retry_later);
}

TEST_F(PostgresStoreContract, AServerThatTakesNoWritesForAMomentIsTriedAgain) {
  auto one = store();
  auto admin = connect();
  const auto name = admin->execute("SELECT current_database()").value();
  const auto alter = fmt::format("ALTER DATABASE {} ", name.bytes(0, 0));
  ASSERT_TRUE(admin->execute(alter + "SET default_transaction_read_only = on"));
  auto read_only = PostgresStore::open(connect());
  ASSERT_TRUE(read_only);
  const auto positions = (*read_only)->positions(starts_);
  ASSERT_TRUE(admin->execute(alter + "RESET default_transaction_read_only"));
  ASSERT_FALSE(positions);
  EXPECT_EQ(positions.error().kind, ErrorKind::retry_later);
}

TEST_F(PostgresStoreContract, AColumnOfAnotherTypeIsNoticedAtTheStart) {
  ASSERT_TRUE(connect()->execute("ALTER TABLE device_events_cleaned ALTER rank TYPE integer"));
  const auto opened = PostgresStore::open(connect());
  ASSERT_TRUE(connect()->execute("ALTER TABLE device_events_cleaned ALTER rank TYPE bigint"));
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().kind, ErrorKind::invalid);
  EXPECT_THAT(opened.error().message, HasSubstr("device_events_cleaned.rank is of type integer"));
}

TEST_F(PostgresStoreContract, ACutConnectionIsToBeTriedAgain) {
  auto one = store();
  ASSERT_TRUE(connect()->execute(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND "
      "datname = current_database()"));
  const auto failed = commit(*one, {enter("a", 1000, 1)}, 1);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().kind, ErrorKind::retry_later);
  EXPECT_THAT(rows(), ElementsAre());
}

TEST_F(PostgresStoreContract, RowsThatAreThereAreAbsorbed) {
  auto one = store();
  ASSERT_TRUE(commit(*one, {enter("a", 1000, 1)}, 1));
  ASSERT_TRUE(commit(*one, {enter("a", 1000, 8), enter("b", 1, 1), enter("b", 1, 2)}, 4));
  EXPECT_THAT(rows(), ElementsAre("a 1000 device_enter 1 1", "b 1 device_enter 1 1"));
  EXPECT_THAT(counts(), ElementsAre(4, 0, 2, 0, 0));
  expect_sums();
}

TEST_F(PostgresStoreContract, RetractsAreAsIfMadeOneByOne) {
  auto one = store();
  ASSERT_TRUE(commit(*one, {enter("a", 1, 1), enter("b", 1, 1)}, 2));
  ASSERT_TRUE(commit(*one,
                     {
                         retract("a", 1, 2),  // gone, and there again
                         enter("a", 1, 3),
                         enter("a", 1, 4),    // absorbed
                         retract("b", 1, 2),  // gone
                         retract("b", 1, 3),  // a fault
                         retract("c", 1, 1),  // a fault
                         enter("d", 1, 1),    // made and gone
                         retract("d", 1, 2),
                     },
                     10));
  EXPECT_THAT(rows(), ElementsAre("a 1 device_enter 3 3"));
  EXPECT_THAT(counts(), ElementsAre(5, 5, 1, 2, 0));
  expect_sums();
}

TEST_F(PostgresStoreContract, WhatWasRejectedIsCounted) {
  auto one = store();
  const RowSlice slice{{}, 3, at(3)};
  ASSERT_TRUE(one->commit({&slice, 1}));
  EXPECT_THAT(counts(), ElementsAre(0, 0, 0, 0, 3));
}

// Whatever the batches, rows and counts are those of changes made one by one.
TEST_F(PostgresStoreContract, AnyBatchesGiveTheSame) {
  std::mt19937 random(5);
  const auto below = [&](std::uint32_t end) { return random() % end; };
  const std::vector<std::string> devices{"a", "b", "c\xc3\xa9", std::string(256, 'd')};
  auto one = store();
  std::set<std::tuple<std::string, std::int64_t, EventType>> model;
  std::vector<std::int64_t> wanted{0, 0, 0, 0, 0};
  Offset next = 0;
  for (int round = 0; round < 60; ++round) {
    std::vector<RowChange> changes;
    for (std::uint32_t i = below(12); i > 0; --i) {
      const auto type = below(2) == 0 ? EventType::enter : EventType::exit;
      const auto operation = below(3) == 0 ? Operation::retract : Operation::insert;
      changes.push_back(change(operation, devices[below(4)], below(3), type, ++next));
      const RowChange& made = changes.back();
      const std::tuple key(std::string(made.device), to_ms(made.timestamp), type);
      if (operation == Operation::insert) {
        ++wanted[0];
        wanted[2] += model.insert(key).second ? 0 : 1;
      } else {
        ++wanted[1];
        wanted[3] += model.erase(key) == 1 ? 0 : 1;
      }
    }
    ASSERT_TRUE(commit(*one, changes, ++next));
    ASSERT_EQ(counts(), wanted);
    std::vector<std::string> found;
    for (const std::string& row : rows()) found.push_back(row.substr(0, row.find(" device_")));
    std::vector<std::string> keys;
    for (const auto& [device, ms, type] : model) keys.push_back(fmt::format("{} {}", device, ms));
    std::sort(found.begin(), found.end());
    std::sort(keys.begin(), keys.end());
    ASSERT_EQ(found, keys);
  }
  expect_sums();
}

constexpr std::int64_t kDay = 86'400'000;

// By whole days, so that a hypertable drops the same rows.
TEST_F(PostgresStoreContract, WhatRetentionDropsIsCountedAndItsRetractsAreNoFault) {
  auto opened = store();
  ASSERT_TRUE(commit(*opened,
                     {enter("a", kDay, 1), enter("a", 2 * kDay + 5, 2), enter("b", 3 * kDay, 1),
                      enter("b", 4 * kDay, 2)},
                     10));
  auto database = connect();
  const UpkeepOptions options{.retention = Milliseconds(2 * kDay)};
  const auto dropped = apply_retention(*database, options, from_ms(5 * kDay));
  ASSERT_TRUE(dropped) << dropped.error().message;
  EXPECT_EQ(dropped->dropped_rows, 2);
  EXPECT_EQ(rows().size(), 2u);
  // Two below the edge, one of which came too late to be dropped then; one above that never was.
  ASSERT_TRUE(commit(*opened,
                     {enter("c", kDay + 1, 1), retract("a", kDay, 3), retract("c", kDay + 1, 2),
                      retract("d", 4 * kDay, 1)},
                     20));
  ASSERT_TRUE(commit(*opened, {enter("late", 7, 1)}, 30));
  EXPECT_EQ(apply_retention(*database, options, from_ms(5 * kDay))->dropped_rows, 1);
  EXPECT_EQ(apply_retention(*database, options, from_ms(5 * kDay))->dropped_rows, 0);
  const auto sums = connect()->execute(
      "SELECT (inserts - (retracts - faults - expired) = (SELECT count(*) FROM "
      "device_events_cleaned) + absorbed + (SELECT value::bigint FROM dwell_fact "
      "WHERE name = 'dropped_rows'))::text || ' ' || faults || ' ' || expired FROM dwell_position "
      "WHERE inserts > 0");
  ASSERT_TRUE(sums) << sums.error().message;
  EXPECT_EQ(sums->bytes(0, 0), "true 1 1");
  ASSERT_TRUE(forget_positions(*database, "cleaned"));
  const auto adopted =
      connect()->execute("SELECT value FROM dwell_fact WHERE name = 'adopted_rows'");
  EXPECT_EQ(adopted->bytes(0, 0), "5") << "rows, and those dropped";
}

TEST_F(PostgresStoreContract, OldChunksAreCompressedAndStillTakeChanges) {
  auto opened = store();
  ASSERT_TRUE(
      commit(*opened, {enter("a", kDay, 1), enter("b", kDay, 1), enter("a", 5 * kDay, 2)}, 10));
  auto database = connect();
  const UpkeepOptions options{.compress_after = Milliseconds(2 * kDay)};
  const auto compressed = apply_retention(*database, options, from_ms(5 * kDay));
  ASSERT_TRUE(compressed) << compressed.error().message;
  EXPECT_EQ(compressed->compressed_chunks, is_hypertable() ? 1 : 0);
  EXPECT_EQ(apply_retention(*database, options, from_ms(5 * kDay))->compressed_chunks, 0);
  ASSERT_TRUE(
      commit(*opened, {retract("a", kDay, 3), enter("b", kDay, 1), enter("c", kDay, 1)}, 20));
  EXPECT_THAT(rows(), ElementsAre(HasSubstr("a 432000000"), HasSubstr("b 86400000"),
                                  HasSubstr("c 86400000")));
  EXPECT_THAT(counts(), ElementsAre(5, 1, 1, 0, 0));
}

TEST_F(PostgresStoreContract, WithoutTheLayoutItSaysHowToMakeIt) {
  auto database = connect();
  ASSERT_TRUE(migrate(*database, 0));
  const auto opened = PostgresStore::open(connect());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().kind, ErrorKind::invalid);
  EXPECT_THAT(opened.error().message, HasSubstr("dwell migrate up"));
}

}  // namespace
}  // namespace dwell
