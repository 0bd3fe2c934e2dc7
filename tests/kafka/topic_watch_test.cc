#include "kafka/topics/topic_watch.h"

#include <gtest/gtest.h>

namespace dwell {
namespace {

TopicSight sight(std::vector<KafkaClient::Offsets> offsets) {
  return {static_cast<int>(offsets.size()), std::move(offsets)};
}

TEST(TopicWatch, WhatIsAsItWasIsNoChange) {
  EXPECT_EQ(compare(sight({{0, 5}}), sight({{0, 5}}), true), TopicChange::none);
  EXPECT_EQ(compare(sight({{0, 5}}), sight({{0, 9}}), true), TopicChange::none);
  EXPECT_EQ(compare({1, {}}, {1, {}}, true), TopicChange::none);
  EXPECT_EQ(compare({0, {}}, {0, {}}, true), TopicChange::none);
}

TEST(TopicWatch, ATopicThatIsNotThereIsMissing) {
  EXPECT_EQ(compare(sight({{0, 5}}), {0, {}}, false), TopicChange::missing);
}

TEST(TopicWatch, ATopicThatWasAwayIsAnotherOne) {
  EXPECT_EQ(compare({0, {}}, sight({{0, 5}}), false), TopicChange::made_anew);
}

TEST(TopicWatch, FewerPartitionsAreAnotherTopic) {
  EXPECT_EQ(compare({3, {}}, {2, {}}, false), TopicChange::made_anew);
}

TEST(TopicWatch, OffsetsNeverGoBackInOneTopic) {
  EXPECT_EQ(compare(sight({{0, 5}}), sight({{0, 4}}), false), TopicChange::made_anew);
  EXPECT_EQ(compare(sight({{3, 5}}), sight({{0, 5}}), false), TopicChange::made_anew);
  EXPECT_EQ(compare(sight({{0, 5}, {0, 5}}), sight({{0, 5}, {0, 0}}), false),
            TopicChange::made_anew);
  // Also where it was made with more partitions.
  EXPECT_EQ(compare(sight({{0, 5}}), sight({{0, 0}, {0, 0}}), false), TopicChange::made_anew);
}

TEST(TopicWatch, MorePartitionsAreGrowth) {
  EXPECT_EQ(compare(sight({{0, 5}}), sight({{0, 6}, {0, 0}}), false), TopicChange::grown);
  EXPECT_EQ(compare({1, {}}, {2, {}}, false), TopicChange::grown);
}

TEST(TopicWatch, OnlyATopicThatKeepsAllIsEmptied) {
  EXPECT_EQ(compare(sight({{0, 5}}), sight({{5, 5}}), true), TopicChange::emptied);
  EXPECT_EQ(compare(sight({{0, 5}}), sight({{5, 5}}), false), TopicChange::none);
}

TEST(TopicWatch, ABeginningThatWentBackIsForgivenAndAnEndIsNot) {
  const auto back = [](TopicSight before, const TopicSight& now) {
    forgive_beginnings(before, now);
    return compare(before, now, true);
  };
  EXPECT_EQ(back(sight({{3, 5}}), sight({{0, 5}})), TopicChange::none);
  EXPECT_EQ(back(sight({{3, 5}, {0, 7}}), sight({{0, 6}, {0, 6}})), TopicChange::made_anew);
  EXPECT_EQ(back(sight({{3, 5}}), sight({{4, 5}})), TopicChange::emptied);
  EXPECT_EQ(back(sight({{3, 5}}), {0, {}}), TopicChange::missing);
}

}  // namespace
}  // namespace dwell
