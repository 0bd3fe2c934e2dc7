// One thing goes wrong at step n, for every n. Whatever it is, in the end the store holds what it
// would hold had nothing happened.
#include <gmock/gmock.h>
#include <random>
#include <tuple>

#include "tests/sim/world.h"

namespace dwell {
namespace {

using ::testing::ElementsAreArray;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using Shape = std::tuple<Order, std::vector<std::size_t>>;

class PipelineFault : public ::testing::TestWithParam<Shape> {
 protected:
  World new_world() const {
    World world;
    world.rule = rule_;
    world.batch_sizes = batch_sizes_;
    return world;
  }

  // How many commits an undisturbed run takes.
  std::size_t commits() const {
    World world = new_world();
    EXPECT_TRUE(world.run_process());
    return world.observer.commits;
  }

  const Rule rule_ = small_rule(std::get<0>(GetParam()));
  const std::vector<std::size_t> batch_sizes_ = std::get<1>(GetParam());
  const Lines expected_ = undisturbed(rule_, batch_sizes_);
};

TEST_P(PipelineFault, UndisturbedNothingWaitsAndAllIsThere) {
  World world = new_world();
  ASSERT_TRUE(world.run_process());
  EXPECT_THAT(world.clock.sleeps(), IsEmpty());
  EXPECT_THAT(world.observer.retries, IsEmpty());
  EXPECT_THAT(world.observer.restores, IsEmpty());
  EXPECT_EQ(world.observer.committed_records, world.script.size());
  EXPECT_EQ(world.contents(), expected_);
  EXPECT_EQ(expected_, undisturbed(rule_, {1'000}));
}

// A process dies around its n-th commit: just before it takes effect, or just after.
TEST_P(PipelineFault, ACrashAtAnyCommitLosesAndDoublesNothing) {
  for (const bool happened : {false, true}) {
    for (std::size_t n = 1; n <= commits(); ++n) {
      SCOPED_TRACE(::testing::Message() << "commit " << n << ", happened " << happened);
      World world = new_world();
      world.store.commits.set({n, ErrorKind::fatal, 1, happened});
      EXPECT_EQ(world.run_to_the_end(), 2u);
      EXPECT_EQ(world.contents(), expected_);
    }
  }
}

// Every process dies right after its first commit: they come to the end all the same.
TEST_P(PipelineFault, ACrashAfterEachCommitStillComesToTheEnd) {
  World world = new_world();
  const std::size_t records = batch_sizes_[0];
  for (std::size_t done = 0; done < world.script.size(); done += records) {
    EXPECT_NE(world.contents(), expected_);
    world.store.commits.set({1, ErrorKind::fatal, 1, true});
    ASSERT_FALSE(world.run_process());
  }
  EXPECT_EQ(world.contents(), expected_);
}

TEST_P(PipelineFault, ACrashAtAnyPollLosesAndDoublesNothing) {
  for (std::size_t n = 1; n <= commits(); ++n) {
    World world = new_world();
    FaultPlan crash;
    crash.set({n, ErrorKind::fatal});
    bool has_crashed = false;
    world.prepare_source = [&](ScriptedSource& source) {
      if (!has_crashed) source.polls() = crash;
      has_crashed = true;
    };
    EXPECT_EQ(world.run_to_the_end(), 2u);
    EXPECT_EQ(world.contents(), expected_) << "poll " << n;
  }
}

TEST_P(PipelineFault, ACommitThatMayWorkLaterIsTriedAgain) {
  for (std::size_t n = 1; n <= commits(); ++n) {
    World world = new_world();
    world.store.commits.set({n, ErrorKind::retry_later, 3});
    ASSERT_TRUE(world.run_process());
    EXPECT_EQ(world.contents(), expected_) << "commit " << n;
    EXPECT_THAT(world.observer.restores, IsEmpty());
    EXPECT_THAT(world.clock.sleeps(),
                ElementsAreArray({Milliseconds{50}, Milliseconds{100}, Milliseconds{200}}));
    EXPECT_EQ(world.clock.sleeps(), world.observer.waits);
    EXPECT_EQ(world.observer.committed_records, world.script.size());
  }
}

TEST_P(PipelineFault, AnAbortedCommitIsFoldedAgainFromTheLastOne) {
  for (std::size_t n = 1; n <= commits(); ++n) {
    World world = new_world();
    world.store.commits.set({n, ErrorKind::aborted, 2});
    ASSERT_TRUE(world.run_process());
    EXPECT_EQ(world.contents(), expected_) << "commit " << n;
    EXPECT_THAT(world.observer.restores, SizeIs(2));
    EXPECT_EQ(world.observer.committed_records, world.script.size());
  }
}

TEST_P(PipelineFault, AnUnknownOutcomeIsSettledByRestoring) {
  for (const bool happened : {false, true}) {
    for (std::size_t n = 1; n <= commits(); ++n) {
      SCOPED_TRACE(::testing::Message() << "commit " << n << ", happened " << happened);
      World world = new_world();
      world.store.commits.set({n, ErrorKind::unknown_outcome, 1, happened});
      ASSERT_TRUE(world.run_process());
      EXPECT_EQ(world.contents(), expected_);
      EXPECT_THAT(world.observer.restores, SizeIs(1));
      EXPECT_EQ(world.clock.sleeps(), world.observer.waits);
    }
  }
}

// After an unknown outcome the store itself cannot be reached for a while.
TEST_P(PipelineFault, ARestoreThatMayWorkLaterIsTriedAgain) {
  for (std::size_t n = 1; n <= commits(); ++n) {
    World world = new_world();
    world.store.commits.set({n, ErrorKind::unknown_outcome, 1, true});
    world.store.restores.set({2, ErrorKind::retry_later, 3});
    ASSERT_TRUE(world.run_process());
    EXPECT_EQ(world.contents(), expected_) << "commit " << n;
  }
}

TEST_P(PipelineFault, EveryOtherErrorOfACommitIsReturnedAtOnce) {
  for (const ErrorKind kind :
       {ErrorKind::invalid, ErrorKind::not_found, ErrorKind::lost_ownership, ErrorKind::fatal}) {
    for (std::size_t n = 1; n <= commits(); ++n) {
      World world = new_world();
      world.store.commits.set({n, kind});
      const auto ran = world.run_process();
      ASSERT_FALSE(ran);
      EXPECT_EQ(ran.error().kind, kind);
      EXPECT_EQ(world.store.commits.calls(), n);
      EXPECT_THAT(world.clock.sleeps(), IsEmpty());
      ASSERT_TRUE(world.run_process());
      EXPECT_EQ(world.contents(), expected_);
    }
  }
}

TEST_P(PipelineFault, PollErrorsAreRetriedOrGoneBackFrom) {
  for (const ErrorKind kind :
       {ErrorKind::retry_later, ErrorKind::aborted, ErrorKind::unknown_outcome}) {
    for (std::size_t n = 1; n <= commits(); ++n) {
      World world = new_world();
      world.prepare_source = [&](ScriptedSource& source) { source.polls().set({n, kind, 2}); };
      ASSERT_TRUE(world.run_process());
      EXPECT_EQ(world.contents(), expected_) << name(kind) << " at poll " << n;
      EXPECT_THAT(world.clock.sleeps(), SizeIs(2));
      EXPECT_THAT(world.observer.restores, SizeIs(kind == ErrorKind::retry_later ? 0 : 2));
    }
  }
}

TEST_P(PipelineFault, APollThatFindsNothingIsRepeated) {
  for (std::size_t n = 1; n <= commits(); ++n) {
    World world = new_world();
    world.prepare_source = [&](ScriptedSource& source) { source.stall(n, 3); };
    ASSERT_TRUE(world.run_process());
    EXPECT_EQ(world.contents(), expected_);
    EXPECT_THAT(world.clock.sleeps(), IsEmpty())
        << "waiting for input is the source's own business";
    EXPECT_THAT(world.observer.retries, IsEmpty());
  }
}

// Everything at once, at random places; the number in the trace is the seed.
TEST_P(PipelineFault, AnyMixtureOfTroubleEndsTheSame) {
  constexpr ErrorKind kKinds[] = {ErrorKind::retry_later, ErrorKind::aborted,
                                  ErrorKind::unknown_outcome, ErrorKind::fatal};
  for (unsigned seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    const auto any_fault = [&] {
      const ErrorKind kind = kKinds[random() % 4];
      const bool may_have_happened = kind == ErrorKind::unknown_outcome || kind == ErrorKind::fatal;
      return Fault{1 + random() % 6, kind, 1 + random() % 3,
                   may_have_happened && random() % 2 == 0};
    };
    World world = new_world();
    world.prepare_source = [&](ScriptedSource& source) {
      world.store.commits.set(any_fault());
      source.polls().set(any_fault());
      source.stall(random() % 5, random() % 3);
    };
    EXPECT_LT(world.run_to_the_end(), 100u);
    EXPECT_EQ(world.contents(), expected_);
    if (HasFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, PipelineFault,
                         ::testing::Combine(::testing::Values(Order::arrival, Order::event_time),
                                            ::testing::Values(std::vector<std::size_t>{1},
                                                              std::vector<std::size_t>{5},
                                                              std::vector<std::size_t>{3, 1, 7})),
                         [](const auto& info) {
                           std::string label(name(std::get<0>(info.param)));
                           for (const std::size_t size : std::get<1>(info.param))
                             label.append("_").append(std::to_string(size));
                           return label;
                         });

}  // namespace
}  // namespace dwell
