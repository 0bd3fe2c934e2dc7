#include "kafka/flow/checkpoints.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace dwell {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr CheckpointLimits kLimits{1'000, 100, 5'000, std::chrono::minutes(10),
                                   std::chrono::seconds(5)};
constexpr std::chrono::minutes kNow{60};

class DueCheckpoints : public testing::Test {
 protected:
  // A partition that changed a moment ago and was saved a moment before.
  void lacks(PartitionId id, std::uint64_t records, DeviceIndex devices, std::uint64_t bytes = 0) {
    partitions_.push_back({id, Fold(Rule{}, 0)});
    Unsaved& one = unsaved_[id];
    one.records = records;
    one.bytes = bytes;
    one.is_anything = true;
    one.has_marker = true;
    one.since = one.changed = kNow - std::chrono::seconds(1);
    for (DeviceIndex device = 0; device < devices; ++device) one.devices.add(device);
  }
  std::vector<PartitionId> due() const {
    return due_checkpoints(partitions_, unsaved_, kLimits, kNow);
  }

  std::vector<Partition> partitions_;
  std::map<PartitionId, Unsaved> unsaved_;
};

TEST_F(DueCheckpoints, NothingBelowTheLimits) {
  lacks(0, 999, 99);
  EXPECT_THAT(due(), IsEmpty());
}

TEST_F(DueCheckpoints, RecordsOfAllPartitionsCountAndTheOneThatLacksMostGoesFirst) {
  lacks(0, 300, 1);
  lacks(1, 400, 1);
  lacks(2, 300, 1);
  EXPECT_THAT(due(), ElementsAre(1));
}

TEST_F(DueCheckpoints, DevicesOfAllPartitionsCountAndTheOneThatLacksMostGoesFirst) {
  lacks(0, 1, 30);
  lacks(1, 1, 40);
  lacks(2, 1, 30);
  EXPECT_THAT(due(), ElementsAre(1));
}

TEST_F(DueCheckpoints, BytesOfAllPartitionsCountAndTheOneThatLacksMostGoesFirst) {
  lacks(0, 1, 1, 1'500);
  lacks(1, 1, 1, 2'000);
  lacks(2, 1, 1, 1'499);
  EXPECT_THAT(due(), IsEmpty());
  lacks(3, 1, 1, 1);
  EXPECT_THAT(due(), ElementsAre(1));
}

TEST_F(DueCheckpoints, WhatIsDueByTimeGoesTogetherUpToTheBytesOfTheLimit) {
  lacks(0, 1, 1, 2'000);
  lacks(1, 1, 1, 2'500);
  lacks(2, 1, 1, 1'000);
  for (auto& [id, one] : unsaved_) one.since = kNow - kLimits.interval;
  EXPECT_THAT(due(), UnorderedElementsAre(1, 0));
}

TEST_F(DueCheckpoints, OnePartitionAloneMayHaveMoreDevicesThanTheLimit) {
  lacks(0, 1, 500);
  EXPECT_THAT(due(), ElementsAre(0));
}

TEST_F(DueCheckpoints, TheTimeSinceTheLastOneMakesItDueInEachPartition) {
  lacks(0, 1, 1);
  lacks(1, 1, 1);
  unsaved_.at(1).since = kNow - kLimits.interval;
  EXPECT_THAT(due(), ElementsAre(1));
}

TEST_F(DueCheckpoints, TimeWithoutRecordsMakesItDueInEachPartition) {
  lacks(0, 1, 1);
  lacks(1, 1, 1);
  unsaved_.at(0).changed = kNow - kLimits.idle;
  EXPECT_THAT(due(), ElementsAre(0));
}

TEST_F(DueCheckpoints, ThoseDueAtOnceShareOneTransactionUpToTheLimitOfDevices) {
  for (PartitionId id = 0; id < 4; ++id) {
    lacks(id, 1, 24);
    unsaved_.at(id).since = kNow - kLimits.interval;
  }
  EXPECT_THAT(due(), ElementsAre(0, 1, 2, 3));
  lacks(4, 1, 24);
  unsaved_.at(4).since = kNow - kLimits.interval;
  EXPECT_THAT(due(), UnorderedElementsAre(0, 1, 2, 3));
}

TEST_F(DueCheckpoints, AnOffsetWithoutAMarkerIsDueWhateverTheLimit) {
  lacks(0, 1, 90);
  lacks(1, 1, 90);
  unsaved_.at(0).has_marker = unsaved_.at(1).has_marker = false;
  EXPECT_THAT(due(), ElementsAre(0, 1));
}

TEST_F(DueCheckpoints, NothingThatIsSaved) {
  lacks(0, 5'000, 0);
  unsaved_.at(0).is_anything = false;
  unsaved_.at(0).since = unsaved_.at(0).changed = std::chrono::nanoseconds(0);
  EXPECT_THAT(due(), IsEmpty());
}

}  // namespace
}  // namespace dwell
