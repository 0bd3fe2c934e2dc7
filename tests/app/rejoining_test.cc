// What breaks off is begun anew: how long it is waited for, what is told and what ends it, in
// virtual time.
#include "app/process/rejoining.h"

#include <gmock/gmock.h>

#include "tests/fakes/fake_clock.h"

namespace dwell {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr Milliseconds kNothing{0};

class RejoiningTest : public testing::Test {
 protected:
  using Once = std::function<Result<void>(int round)>;

  // Runs `once` again and again; `round` counts from 1.
  Result<void> run(const Once& once) {
    return keep_joining("store 0", stop_.get_token(), clock_, board_, [&] {
      reasons_before_.push_back(reasons());
      return once(++rounds_);
    });
  }
  std::vector<std::string> reasons() const { return board_.health().not_ready_because; }

  FakeClock clock_;
  HealthBoard board_;
  std::stop_source stop_;
  int rounds_ = 0;
  std::vector<std::vector<std::string>> reasons_before_;  // each round
};

TEST_F(RejoiningTest, PausesDoubleUpToFiveSeconds) {
  const auto done = run([](int round) -> Result<void> {
    if (round == 9) return {};
    return fail(ErrorKind::lost_ownership, "fenced");
  });
  EXPECT_TRUE(done);
  EXPECT_THAT(clock_.sleeps(),
              ElementsAre(Milliseconds{200}, Milliseconds{400}, Milliseconds{800},
                          Milliseconds{1'600}, Milliseconds{3'200}, Milliseconds{5'000},
                          Milliseconds{5'000}, Milliseconds{5'000}));
}

TEST_F(RejoiningTest, AMembershipThatLastedStartsWithAShortPauseAgain) {
  const auto done = run([this](int round) -> Result<void> {
    if (round == 6) return {};
    clock_.sleep(round == 4 ? Milliseconds{31'000} : kNothing);
    return fail(ErrorKind::retry_later, "the broker is away");
  });
  EXPECT_TRUE(done);
  EXPECT_THAT(clock_.sleeps(), ElementsAre(kNothing, Milliseconds{200}, kNothing, Milliseconds{400},
                                           kNothing, Milliseconds{800}, Milliseconds{31'000},
                                           Milliseconds{200}, kNothing, Milliseconds{400}));
}

TEST_F(RejoiningTest, TheCauseIsOnTheBoardUntilItIsOver) {
  const auto done = run([](int round) -> Result<void> {
    if (round == 3) return {};
    return fail(round == 1 ? ErrorKind::not_found : ErrorKind::retry_later, "topic a{}", round);
  });
  EXPECT_TRUE(done);
  EXPECT_THAT(
      reasons_before_,
      ElementsAre(IsEmpty(),
                  ElementsAre("store 0: topic a1; `dwell topics create` makes what is missing"),
                  ElementsAre("store 0: topic a2")));
  EXPECT_THAT(reasons(), IsEmpty());
}

TEST_F(RejoiningTest, WhatTryingAgainCannotMendIsReturnedAtOnce) {
  for (const ErrorKind kind : {ErrorKind::invalid, ErrorKind::fatal}) {
    const auto done = run([kind](int) -> Result<void> { return fail(kind, "of no use"); });
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().kind, kind);
  }
  EXPECT_EQ(rounds_, 2);
  EXPECT_THAT(clock_.sleeps(), IsEmpty());
}

TEST_F(RejoiningTest, EveryOtherKindIsTriedAgain) {
  for (const ErrorKind kind : {ErrorKind::retry_later, ErrorKind::not_found, ErrorKind::aborted,
                               ErrorKind::unknown_outcome, ErrorKind::lost_ownership}) {
    rounds_ = 0;
    EXPECT_TRUE(run([kind](int round) -> Result<void> {
      if (round == 2) return {};
      return fail(kind, "passes");
    }));
    EXPECT_EQ(rounds_, 2);
  }
}

// What is not committed is read again by whoever comes next.
TEST_F(RejoiningTest, AnErrorAfterTheStopIsNoError) {
  const auto done = run([this](int) -> Result<void> {
    stop_.request_stop();
    return fail(ErrorKind::fatal, "cut off");
  });
  EXPECT_TRUE(done);
  EXPECT_THAT(clock_.sleeps(), IsEmpty());
  EXPECT_THAT(reasons(), IsEmpty());
}

}  // namespace
}  // namespace dwell
