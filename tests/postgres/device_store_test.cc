// The law of DeviceStore, with the database that DWELL_TEST_POSTGRES names; run by
// test_store_contract.py, which makes it.
#include "postgres/device_store.h"

#include <gmock/gmock.h>

#include "postgres/migrations.h"
#include "tests/postgres/test_database.h"

namespace dwell {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

DeviceOutcomes seen(std::string_view device, std::int64_t ms, std::uint64_t accepted) {
  OutcomeSummary outcomes;
  outcomes.last_seen = from_ms(ms);
  outcomes.accepted = accepted;
  return {device, outcomes};
}

class PostgresDeviceStore : public ::testing::Test {
 protected:
  PostgresDeviceStore() {
    auto database = connect();
    EXPECT_TRUE(migrate(*database, 0));
    EXPECT_TRUE(migrate(*database));
  }

  static StorePosition at(Offset next, PartitionId partition = 0) {
    return {partition, "cluster", "states", next};
  }

  // A store that is where the database has its partitions.
  std::unique_ptr<DeviceStore> store(std::vector<StorePosition>* found = nullptr) {
    auto opened = DeviceStore::open(connect());
    EXPECT_TRUE(opened) << opened.error().message;
    const std::vector<StorePosition> starts{at(5), at(7, 1)};
    auto positions = (*opened)->positions(starts);
    EXPECT_TRUE(positions) << positions.error().message;
    if (found) *found = *positions;
    return std::move(*opened);
  }

  static Result<void> commit(DeviceStore& store, const std::vector<DeviceOutcomes>& devices,
                             const StorePosition& position) {
    const DeviceSlice slice{devices, position};
    return store.commit({&slice, 1});
  }

  static std::vector<std::string> devices() {
    auto found = connect()->execute(
        "SELECT device_id || ' ' || last_seen || ' ' || accepted FROM dwell_device ORDER BY 1");
    EXPECT_TRUE(found);
    std::vector<std::string> lines;
    for (int i = 0; i < found->rows(); ++i) lines.emplace_back(found->bytes(i, 0));
    return lines;
  }
};

TEST_F(PostgresDeviceStore, APartitionBeginsWhereItStartsAndGoesOnBehindTheLastCommit) {
  std::vector<StorePosition> found;
  auto one = store(&found);
  EXPECT_THAT(found, ElementsAre(at(5), at(7, 1)));
  ASSERT_TRUE(commit(*one, {}, at(9, 1)));
  StorePosition elsewhere = at(2);
  elsewhere.cluster = "another";
  ASSERT_TRUE(commit(*one, {}, elsewhere));
  store(&found);
  EXPECT_THAT(found, ElementsAre(elsewhere, at(9, 1)));
}

TEST_F(PostgresDeviceStore, TheLastWordOnADeviceStands) {
  auto one = store();
  ASSERT_TRUE(commit(*one, {seen("a", 1000, 1), seen("b", 1500, 1), seen("a", 2000, 2)}, at(8)));
  EXPECT_THAT(devices(), ElementsAre("a 2000 2", "b 1500 1"));
  ASSERT_TRUE(commit(*one, {seen("b", 1400, 3)}, at(9)));
  EXPECT_THAT(devices(), ElementsAre("a 2000 2", "b 1400 3"));
  ASSERT_TRUE(commit(*one, {seen("b", 1400, 3)}, at(10)));
  EXPECT_THAT(devices(), ElementsAre("a 2000 2", "b 1400 3"));
}

TEST_F(PostgresDeviceStore, MoreThanOneStatementTakes) {
  auto one = store();
  std::vector<std::string> ids;
  for (int i = 0; i < 25'000; ++i) ids.push_back(fmt::format("d{}", i));
  std::vector<DeviceOutcomes> all;
  for (const std::string& id : ids) all.push_back(seen(id, 1000, 1));
  ASSERT_TRUE(commit(*one, all, at(25'005)));
  EXPECT_EQ(devices().size(), ids.size());
}

TEST_F(PostgresDeviceStore, OfTwoFromOnePositionOneWins) {
  auto one = store();
  auto two = store();
  ASSERT_TRUE(commit(*one, {seen("a", 2000, 2)}, at(6)));
  const auto lost = commit(*two, {seen("a", 1000, 1), seen("z", 1000, 1)}, at(6));
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().kind, ErrorKind::lost_ownership);
  EXPECT_THAT(lost.error().message, HasSubstr("states/0"));
  EXPECT_THAT(devices(), ElementsAre("a 2000 2"));
  ASSERT_TRUE(commit(*one, {seen("a", 3000, 3)}, at(7)));
}

TEST_F(PostgresDeviceStore, AFailedCommitLeavesNothing) {
  auto one = store();
  ASSERT_TRUE(connect()->execute(
      "ALTER TABLE dwell_device_position ADD CONSTRAINT no_6 CHECK (next <> 6)"));
  ASSERT_FALSE(commit(*one, {seen("a", 1000, 1), seen("z", 1000, 1)}, at(6)));
  EXPECT_THAT(devices(), IsEmpty());
  std::vector<StorePosition> found;
  store(&found);
  EXPECT_EQ(found[0], at(5));
}

TEST_F(PostgresDeviceStore, DevicesThatAreRefusedAreLeftOut) {
  auto one = store();
  ASSERT_TRUE(connect()->execute(
      "ALTER TABLE dwell_device ADD CONSTRAINT no_z CHECK (device_id NOT LIKE 'z%')"));
  std::vector<std::string> ids;
  for (int i = 0; i < 1'000; ++i) ids.push_back(fmt::format("{}{}", i % 300 == 7 ? "z" : "d", i));
  std::vector<DeviceOutcomes> all;
  for (const std::string& id : ids) all.push_back(seen(id, 1000, 1));
  ASSERT_TRUE(commit(*one, all, at(6)));
  EXPECT_EQ(devices().size(), 996u);
  EXPECT_EQ(one->refused().size(), 4u);
  EXPECT_THAT(one->refused().front(), HasSubstr("no_z"));
  ASSERT_TRUE(commit(*one, {seen("a", 1000, 1)}, at(7)));
  EXPECT_THAT(one->refused(), IsEmpty());
  EXPECT_EQ(devices().size(), 997u);
  std::vector<StorePosition> found;
  store(&found);
  EXPECT_EQ(found[0], at(7));
}

TEST_F(PostgresDeviceStore, WithoutTheLayoutItSaysHowToMakeIt) {
  ASSERT_TRUE(migrate(*connect(), 3));
  const auto opened = DeviceStore::open(connect());
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().message, HasSubstr("dwell migrate up"));
}

}  // namespace
}  // namespace dwell
