// How long a pipeline keeps trying, in virtual time, and what it leaves behind when it gives up.
#include <gmock/gmock.h>
#include <numeric>

#include "tests/sim/world.h"

namespace dwell {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr std::size_t kForGood = 1'000'000;

Milliseconds sum(const std::vector<Milliseconds>& waits) {
  return std::accumulate(waits.begin(), waits.end(), Milliseconds{0});
}

// Waits double from 50 ms up to 5 s, and end with the first one that goes beyond 30 s.
void expect_full_patience(const World& world) {
  const auto& waits = world.clock.sleeps();
  ASSERT_GT(waits.size(), 8u);
  EXPECT_THAT(std::vector(waits.begin(), waits.begin() + 8),
              ElementsAre(Milliseconds{50}, Milliseconds{100}, Milliseconds{200}, Milliseconds{400},
                          Milliseconds{800}, Milliseconds{1'600}, Milliseconds{3'200},
                          Milliseconds{5'000}));
  EXPECT_THAT(std::vector(waits.begin() + 8, waits.end()), Each(Milliseconds{5'000}));
  EXPECT_GT(sum(waits), Milliseconds{30'000});
  EXPECT_LE(sum(waits), Milliseconds{35'000});
}

TEST(GiveUp, CommitsThatNeverWorkAreGivenUp) {
  for (const ErrorKind kind :
       {ErrorKind::retry_later, ErrorKind::aborted, ErrorKind::unknown_outcome}) {
    World world;
    world.store.commits.set({3, kind, kForGood});
    const auto ran = world.run_process();
    ASSERT_FALSE(ran);
    EXPECT_EQ(ran.error().kind, kind);
    expect_full_patience(world);
    EXPECT_EQ(world.observer.commits, 2u);

    world.store.commits.clear();
    ASSERT_TRUE(world.run_process());
    EXPECT_EQ(world.contents(), undisturbed(world.rule, world.batch_sizes));
  }
}

TEST(GiveUp, PollsThatNeverWorkAreGivenUp) {
  for (const ErrorKind kind : {ErrorKind::retry_later, ErrorKind::aborted}) {
    World world;
    world.prepare_source = [&](ScriptedSource& source) { source.polls().set({2, kind, kForGood}); };
    const auto ran = world.run_process();
    ASSERT_FALSE(ran);
    EXPECT_EQ(ran.error().kind, kind);
    expect_full_patience(world);
  }
}

TEST(GiveUp, RestoresThatNeverWorkAreGivenUp) {
  World world;
  world.store.restores.set({1, ErrorKind::retry_later, kForGood});
  const auto ran = world.run_process();
  ASSERT_FALSE(ran);
  EXPECT_EQ(ran.error().kind, ErrorKind::retry_later);
  expect_full_patience(world);
}

TEST(GiveUp, ARestoreThatCannotWorkIsNotTriedAgain) {
  World world;
  world.store.restores.set({1, ErrorKind::fatal});
  const auto ran = world.run_process();
  ASSERT_FALSE(ran);
  EXPECT_EQ(ran.error().kind, ErrorKind::fatal);
  EXPECT_THAT(world.clock.sleeps(), IsEmpty());
}

// What counts is failing in a row: 15 s of trouble before each of several commits is no reason.
TEST(GiveUp, ASuccessRestoresPatience) {
  World world;
  auto committer = MemoryCommitter::open(world.store, world.rule.order);
  ASSERT_TRUE(committer);
  PipelineOptions options;
  options.rule = world.rule;
  Pipeline pipeline(**committer, world.clock, world.observer, options);
  ASSERT_TRUE(pipeline.restore());
  for (int round = 0; round < 4; ++round) {
    const std::string name = "script-" + std::to_string(round);
    ScriptedSource source(world.script, {1'000}, name);
    world.store.commits.set({1, ErrorKind::retry_later, 9});
    const auto before = world.clock.monotonic();
    ASSERT_TRUE(pipeline.run(source, {})) << name;
    EXPECT_GT(world.clock.monotonic() - before, std::chrono::seconds(15));
  }
  EXPECT_EQ(world.store.positions.size(), 4u);
}

// Fails nine polls of ten and finds nothing at the tenth, for a long time.
class RarelyReachableSource final : public Source {
 public:
  Result<Batch> poll() override {
    ++polls_;
    if (polls_ % 10 != 0) return fail(ErrorKind::retry_later, "planned by the test");
    Batch nothing;
    nothing.is_last = polls_ == 100;
    return nothing;
  }
  Result<void> seek(PartitionId, std::span<const Position>) override { return {}; }

 private:
  int polls_ = 0;
};

TEST(GiveUp, APollThatFindsNothingRestoresPatienceToo) {
  World world;
  auto committer = MemoryCommitter::open(world.store, world.rule.order);
  ASSERT_TRUE(committer);
  Pipeline pipeline(**committer, world.clock, world.observer, {});
  ASSERT_TRUE(pipeline.restore());
  RarelyReachableSource source;
  EXPECT_TRUE(pipeline.run(source, {}));
  EXPECT_EQ(world.observer.recoveries, 10u) << "told without a commit, too";
  EXPECT_GT(world.clock.monotonic(), std::chrono::seconds(150));
}

// A pipeline that gave up may be used again, and is then as patient as a new one.
TEST(GiveUp, AnotherRunStartsWithFullPatience) {
  World world;
  auto committer = MemoryCommitter::open(world.store, world.rule.order);
  ASSERT_TRUE(committer);
  PipelineOptions options;
  options.rule = world.rule;
  Pipeline pipeline(**committer, world.clock, world.observer, options);
  ASSERT_TRUE(pipeline.restore());
  ScriptedSource source(world.script, world.batch_sizes);
  world.store.commits.set({2, ErrorKind::retry_later, kForGood});
  ASSERT_FALSE(pipeline.run(source, {}));

  world.store.restores.set({1, ErrorKind::retry_later});
  EXPECT_TRUE(pipeline.restore());
  world.store.commits.set({1, ErrorKind::retry_later});
  EXPECT_TRUE(pipeline.run(source, {}));
  EXPECT_EQ(world.contents(), undisturbed(world.rule, world.batch_sizes));
}

// Asked to stop, a pipeline ends after the batch it has; the next one goes on right there.
TEST(Stop, EndsBetweenTwoBatchesAndLosesNothing) {
  const Lines expected = undisturbed(Rule{}, {4});
  for (std::size_t n = 1; n <= 6; ++n) {
    World world;
    {
      std::stop_source stop;
      struct StoppingObserver final : Observer {
        void observe(const Observation& observation) override {
          const auto* committed = std::get_if<Committed>(&observation);
          if (!committed || !committed->has_batch) return;
          if (++commits == wanted) stop->request_stop();
        }
        std::size_t commits = 0, wanted = 0;
        std::stop_source* stop = nullptr;
      } observer;
      observer.wanted = n;
      observer.stop = &stop;
      auto committer = MemoryCommitter::open(world.store, world.rule.order);
      ASSERT_TRUE(committer);
      PipelineOptions options;
      options.rule = world.rule;
      Pipeline pipeline(**committer, world.clock, observer, options);
      ASSERT_TRUE(pipeline.restore());
      ScriptedSource source(world.script, {4});
      ASSERT_TRUE(pipeline.run(source, stop.get_token()));
      EXPECT_EQ(observer.commits, n);
    }
    EXPECT_EQ(world.store.positions["script"].next, static_cast<Offset>(4 * n));
    ASSERT_TRUE(world.run_process());
    EXPECT_EQ(world.contents(), expected);
  }
}

// Several inputs, one after the other, each with a position of its own.
TEST(Inputs, EachGoesOnWhereItWasCommitted) {
  World world;
  const auto run_both = [&]() -> Result<void> {
    auto committer = MemoryCommitter::open(world.store, world.rule.order);
    if (!committer) return pass(committer);
    PipelineOptions options;
    options.rule = world.rule;
    Pipeline pipeline(**committer, world.clock, world.observer, options);
    if (auto restored = pipeline.restore(); !restored) return restored;
    for (const char* name : {"first", "second"}) {
      ScriptedSource source(world.script, {5}, name);
      if (auto ran = pipeline.run(source, {}); !ran) return ran;
    }
    return {};
  };
  ASSERT_TRUE(run_both());
  const Lines expected = world.contents();
  const std::size_t commits = world.observer.commits;
  EXPECT_EQ(world.store.totals.records(), 2 * world.script.size());
  for (const bool happened : {false, true}) {
    for (std::size_t n = 1; n <= commits; ++n) {
      world.store = MemoryStore();
      world.store.commits.set({n, ErrorKind::fatal, 1, happened});
      ASSERT_FALSE(run_both());
      ASSERT_TRUE(run_both());
      EXPECT_EQ(world.contents(), expected) << "commit " << n;
    }
  }
}

TEST(Inputs, RunAgainAnInputIsNotReadAgain) {
  World world;
  auto committer = MemoryCommitter::open(world.store, world.rule.order);
  ASSERT_TRUE(committer);
  Pipeline pipeline(**committer, world.clock, world.observer, {});
  ASSERT_TRUE(pipeline.restore());
  ScriptedSource source(world.script, {5});
  ASSERT_TRUE(pipeline.run(source, {}));
  ASSERT_TRUE(pipeline.run(source, {}));
  EXPECT_EQ(world.observer.committed_records, world.script.size());
}

TEST(Inputs, APositionOfAnotherInputIsRefused) {
  World world;
  ASSERT_TRUE(world.run_process());
  world.store.positions["script"].mark = "foreign";
  const auto ran = world.run_process();
  ASSERT_FALSE(ran);
  EXPECT_EQ(ran.error().kind, ErrorKind::invalid);
}

}  // namespace
}  // namespace dwell
