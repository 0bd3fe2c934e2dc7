#include "core/device_table.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <string>

namespace dwell {
namespace {

TEST(DeviceNames, NumbersDevicesFromZeroInOrder) {
  DeviceNames names(1);
  EXPECT_EQ(names.size(), 0u);
  EXPECT_EQ(names.add("a", names.hash("a")), 0u);
  EXPECT_EQ(names.add("b", names.hash("b")), 1u);
  EXPECT_EQ(names.size(), 2u);
  EXPECT_EQ(names.find("a", names.hash("a")), 0u);
  EXPECT_EQ(names.find("b", names.hash("b")), 1u);
  EXPECT_FALSE(names.find("c", names.hash("c")));
  EXPECT_EQ(names.id(0), "a");
  EXPECT_EQ(names.id(1), "b");
}

TEST(DeviceNames, KeepsEveryDeviceWhileItGrows) {
  constexpr DeviceIndex kDevices = 50'000;
  DeviceNames names(2);
  const auto id = [](DeviceIndex i) { return fmt::format("device-{}", i); };
  std::vector<std::string_view> views;
  for (DeviceIndex i = 0; i < kDevices; ++i) {
    ASSERT_FALSE(names.find(id(i), names.hash(id(i))));
    ASSERT_EQ(names.add(id(i), names.hash(id(i))), i);
    views.push_back(names.id(i));
  }
  for (DeviceIndex i = 0; i < kDevices; ++i) {
    ASSERT_EQ(names.find(id(i), names.hash(id(i))), i);
    ASSERT_EQ(views[i], id(i)) << "a view outlives growing";
  }
  EXPECT_FALSE(names.find("device-", names.hash("device-")));
  EXPECT_FALSE(names.find(id(kDevices), names.hash(id(kDevices))));
}

TEST(DeviceNames, IdsOfOneHashAreToldApart) {
  DeviceNames names(3);
  constexpr DeviceNames::Hash kSame = 63;  // the last of the first slots: probing wraps around
  for (DeviceIndex i = 0; i < 200; ++i) {
    const auto id = fmt::format("{}", i);
    EXPECT_FALSE(names.find(id, kSame));
    EXPECT_EQ(names.add(id, kSame), i);
  }
  for (DeviceIndex i = 0; i < 200; ++i) EXPECT_EQ(names.find(fmt::format("{}", i), kSame), i);
  EXPECT_FALSE(names.find("200", kSame));
}

TEST(DeviceNames, HoldsIdsOfEveryLengthWithAnyBytes) {
  DeviceNames names(4);
  std::vector<std::string> ids;
  // More than one block of ids, so that some stand at its end.
  for (int round = 0; round < 4; ++round) {
    for (std::size_t length = 1; length <= kLongestDeviceId; ++length) {
      if (round > 0 && length < 3) continue;
      std::string id(length, static_cast<char>(0xc3 + round));
      id.front() = static_cast<char>(round);
      ids.push_back(id);
    }
  }
  for (const auto& id : ids) names.add(id, names.hash(id));
  for (std::size_t i = 0; i < ids.size(); ++i) {
    EXPECT_EQ(names.id(static_cast<DeviceIndex>(i)), ids[i]);
    EXPECT_EQ(names.find(ids[i], names.hash(ids[i])), i);
  }
  EXPECT_GT(names.allocated_bytes(), 2 * 64u * 1024u);
}

TEST(DeviceNames, AnIdIsNoPrefixOfAnother) {
  DeviceNames names(5);
  constexpr DeviceNames::Hash kSame = 7;
  names.add("cam-1", kSame);
  EXPECT_FALSE(names.find("cam-", kSame));
  EXPECT_FALSE(names.find("cam-11", kSame));
  EXPECT_FALSE(names.find("", kSame));
}

TEST(DeviceNames, SeedsGiveOtherHashes) {
  EXPECT_NE(DeviceNames(6).hash("cam-1"), DeviceNames(7).hash("cam-1"));
}

TEST(DeviceTable, StatesStartFreshAndStayWhereTheyAre) {
  struct State {
    int value = 17;
  };
  DeviceTable<State> table(8);
  const auto add = [&](const std::string& id) {
    return table.find_or_add(id, table.names().hash(id));
  };
  State& first = table.state(add("first"));
  EXPECT_EQ(first.value, 17);
  first.value = 1;
  for (int i = 0; i < 5000; ++i) {
    State& state = table.state(add(fmt::format("{}", i)));
    EXPECT_EQ(state.value, 17);
    state.value = i;
  }
  EXPECT_EQ(&table.state(add("first")), &first);
  EXPECT_EQ(first.value, 1);
  for (int i = 0; i < 5000; ++i) EXPECT_EQ(table.state(add(fmt::format("{}", i))).value, i);
  EXPECT_EQ(table.names().size(), 5001u);
  EXPECT_GE(table.allocated_bytes(), 5001 * sizeof(State) + table.names().allocated_bytes());
}

}  // namespace
}  // namespace dwell
