#include "telemetry/courier.h"

#include <future>
#include <gmock/gmock.h>

namespace dwell {
namespace {

using std::chrono::hours;
using std::chrono::steady_clock;
using testing::ElementsAre;

constexpr auto kNever = hours(1);

// A courier's other side, which may be slow.
class Collector {
 public:
  Sent take(std::span<const int> batch) {
    std::unique_lock lock(mutex_);
    batches_.emplace_back(batch.begin(), batch.end());
    changed_.notify_all();
    changed_.wait(lock, [this] { return !is_stalled_; });
    return answer_;
  }
  void stall() { set(is_stalled_, true); }
  void go_on() { set(is_stalled_, false); }
  void answer(Sent::Kind kind) { set(answer_, Sent{kind, "why"}); }
  std::vector<std::vector<int>> wait_for(std::size_t batches) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return batches_.size() >= batches; });
    return batches_;
  }

 private:
  template <typename T>
  void set(T& place, T value) {
    const std::lock_guard lock(mutex_);
    place = value;
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::vector<int>> batches_;
  bool is_stalled_ = false;
  Sent answer_;
};

class CourierTest : public testing::Test {
 protected:
  std::unique_ptr<Courier<int>> make(OtelSettings::Queue options) {
    return std::make_unique<Courier<int>>(
        options,
        [collector = collector_](std::span<const int> batch) { return collector->take(batch); });
  }
  // Shared with those that are left behind.
  std::shared_ptr<Collector> collector_ = std::make_shared<Collector>();
};

TEST_F(CourierTest, SendsAFullBatchAtOnceAndTheRestAtTheEnd) {
  auto courier = make({100, 2, kNever});
  for (int i = 1; i <= 2; ++i) courier->add(i);
  EXPECT_THAT(collector_->wait_for(1), ElementsAre(ElementsAre(1, 2)));
  courier->add(3);
  EXPECT_TRUE(courier->end(steady_clock::now() + kNever));
  EXPECT_THAT(collector_->wait_for(2), ElementsAre(ElementsAre(1, 2), ElementsAre(3)));
  EXPECT_EQ(courier->dropped(), 0u);
}

TEST_F(CourierTest, SendsASmallBatchAfterItsDelay) {
  auto courier = make({100, 50, std::chrono::milliseconds(1)});
  courier->add(1);
  EXPECT_THAT(collector_->wait_for(1), ElementsAre(ElementsAre(1)));
  EXPECT_TRUE(courier->end(steady_clock::now() + kNever));
}

TEST_F(CourierTest, WhatFindsItFullIsDroppedWithoutWaiting) {
  collector_->stall();
  auto courier = make({3, 1, kNever});
  courier->add(1);
  collector_->wait_for(1);  // that one is on its way
  for (int i = 2; i <= 4; ++i) {
    EXPECT_TRUE(courier->has_room());
    courier->add(i);
  }
  EXPECT_FALSE(courier->has_room());
  courier->add(5);
  courier->add(6);
  EXPECT_EQ(courier->dropped(), 2u);
  collector_->go_on();
  EXPECT_TRUE(courier->end(steady_clock::now() + kNever));
  EXPECT_THAT(collector_->wait_for(4),
              ElementsAre(ElementsAre(1), ElementsAre(2), ElementsAre(3), ElementsAre(4)));
}

TEST_F(CourierTest, WhatCannotBeSentIsCounted) {
  collector_->answer(Sent::Kind::refused);
  auto courier = make({100, 2, kNever});
  for (int i = 1; i <= 5; ++i) courier->add(i);
  EXPECT_TRUE(courier->end(steady_clock::now() + kNever));
  EXPECT_EQ(courier->dropped(), 5u);
}

TEST_F(CourierTest, WhatMayWorkLaterIsTriedAgain) {
  collector_->answer(Sent::Kind::later);
  auto courier = make({100, 2, kNever});
  for (int i = 1; i <= 2; ++i) courier->add(i);
  collector_->wait_for(1);
  collector_->answer(Sent::Kind::ok);
  EXPECT_THAT(collector_->wait_for(2), ElementsAre(ElementsAre(1, 2), ElementsAre(1, 2)));
  EXPECT_TRUE(courier->end(steady_clock::now() + kNever));
  EXPECT_EQ(courier->dropped(), 0u);
}

TEST_F(CourierTest, AnEndDoesNotWaitForAnotherTry) {
  collector_->answer(Sent::Kind::later);
  auto courier = make({100, 2, kNever});
  for (int i = 1; i <= 3; ++i) courier->add(i);
  collector_->wait_for(1);
  EXPECT_TRUE(courier->end(steady_clock::now() + kNever));
  EXPECT_THAT(collector_->wait_for(2), ElementsAre(ElementsAre(1, 2), ElementsAre(3)));
  EXPECT_EQ(courier->dropped(), 3u);
}

TEST_F(CourierTest, AnEndThatTakesTooLongLeavesTheLastCallBehind) {
  collector_->stall();
  auto courier = make({100, 1, kNever});
  for (int i = 1; i <= 4; ++i) courier->add(i);
  collector_->wait_for(1);
  EXPECT_FALSE(courier->end(steady_clock::now()));
  courier->add(5);
  EXPECT_EQ(courier->dropped(), 1u);
  collector_->go_on();
  while (courier->dropped() < 4) std::this_thread::yield();  // all but the one that was on its way
  static const auto* const left = courier.release();         // as its owner does
  EXPECT_NE(left, nullptr);
}

}  // namespace
}  // namespace dwell
