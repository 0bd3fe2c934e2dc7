// The order in which a runner calls a stage, and what it tells of each step.
#include "pipeline/runner.h"

#include <deque>
#include <gmock/gmock.h>

#include "tests/fakes/fake_clock.h"

namespace dwell {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Calls = std::vector<std::string>;

// One line for each observation.
class TellingObserver final : public Observer {
 public:
  explicit TellingObserver(Calls& calls) : calls_(calls) {}

  void observe(const Observation& observation) override {
    if (const auto* gained = std::get_if<Gained>(&observation)) {
      calls_.push_back(fmt::format("> gained {}", gained->partitions.size()));
    } else if (const auto* lost = std::get_if<Lost>(&observation)) {
      calls_.push_back(
          fmt::format("> lost {}{}", lost->partitions.size(), lost->were_taken ? ", taken" : ""));
    } else if (std::holds_alternative<Ready>(observation)) {
      calls_.push_back("> ready");
    } else if (const auto* done = std::get_if<Committed>(&observation)) {
      calls_.push_back(
          fmt::format("> committed{}, holds {}{}{}{}", done->has_batch ? " a batch" : "",
                      done->partitions, done->has_joined ? ", joined" : "",
                      done->is_at_end ? ", at end" : "", done->nexts.empty() ? "" : ", nexts"));
    } else if (const auto* failed = std::get_if<CommitFailed>(&observation)) {
      calls_.push_back("> commit failed: " + failed->error.message);
    } else if (const auto* retrying = std::get_if<Retrying>(&observation)) {
      calls_.push_back(fmt::format("> retrying in {} ms", retrying->wait.count()));
    } else if (std::holds_alternative<Recovered>(observation)) {
      calls_.push_back("> recovered");
    } else if (std::holds_alternative<WentBack>(observation)) {
      calls_.push_back("> went back");
    }
  }

 private:
  Calls& calls_;
};

std::string list(std::span<const PartitionId> partitions) {
  std::string text;
  for (const PartitionId partition : partitions) text += fmt::format(" {}", partition);
  return text;
}

// Does nothing but say what it was asked for, and fails as planned.
class ScriptedStage final : public Stage {
 public:
  explicit ScriptedStage(Calls& calls) : calls_(calls) {}

  Result<Ready> restore(std::span<const PartitionId> partitions) override {
    calls_.push_back("restore" + list(partitions));
    if (auto failed = next(restores); !failed) return pass(failed);
    return Ready{};
  }
  Result<void> seek(Source&, std::span<const PartitionId> partitions) override {
    calls_.push_back("seek" + list(partitions));
    return {};
  }
  Result<void> take(const Batch& batch) override {
    calls_.push_back(batch.slices.empty() ? "take nothing" : "take");
    return next(takes);
  }
  Result<Committed> commit() override {
    calls_.push_back("commit");
    if (auto failed = next(commits); !failed) return pass(failed);
    Committed committed;
    committed.has_batch = true;
    committed.is_pending = is_pending;
    return committed;
  }
  Result<Committed> finish() override {
    calls_.push_back("finish");
    if (auto failed = next(finishes); !failed) return pass(failed);
    Committed committed;
    committed.has_batch = is_pending;
    return committed;
  }
  Result<void> give_up(std::span<const PartitionId> partitions, bool were_taken) override {
    calls_.push_back("give up" + list(partitions) + (were_taken ? ", taken" : ""));
    return {};
  }

  // What the next calls give; past their end all succeed.
  std::deque<Result<void>> restores, takes, commits, finishes;
  bool is_pending = false;

 private:
  static Result<void> next(std::deque<Result<void>>& planned) {
    if (planned.empty()) return {};
    auto first = planned.front();
    planned.pop_front();
    return first;
  }

  Calls& calls_;
};

// Gives the planned batches, the last one of them as the last of all.
class PlannedSource final : public Source {
 public:
  Result<Batch> poll() override {
    Batch batch = batches.front();
    batches.pop_front();
    batch.is_last = batches.empty();
    return batch;
  }
  Result<void> seek(PartitionId, std::span<const Position>) override { return {}; }

  std::deque<Batch> batches;
};

class RunnerTest : public testing::Test {
 protected:
  Result<void> run(const RunnerOptions& options) {
    return Runner(stage_, clock_, observer_, options).run(source_, {});
  }
  static RunnerOptions of_a_group(Milliseconds patience) {
    RunnerOptions options;
    options.partitions.clear();
    options.give_up_after = patience;
    return options;
  }

  Calls calls_;
  FakeClock clock_;
  TellingObserver observer_{calls_};
  ScriptedStage stage_{calls_};
  PlannedSource source_;
  std::vector<PartitionId> both_ = {4, 7};
  std::vector<PartitionId> first_ = {4};
  std::vector<PartitionNext> nexts_ = {{7, 12}};
  Slice slice_;
};

TEST_F(RunnerTest, PartitionsComeAndGoBetweenBatches) {
  Batch gained;
  gained.gained = both_;
  Batch some;
  some.slices = {&slice_, 1};
  some.has_joined = true;
  some.nexts = nexts_;
  Batch lost;
  lost.lost = first_;
  lost.were_taken = true;
  Batch none;
  none.has_joined = none.is_at_end = true;
  source_.batches = {gained, some, lost, none};
  ASSERT_TRUE(run(of_a_group(Milliseconds{0})));
  EXPECT_THAT(calls_,
              ElementsAre("seek", "finish", "> gained 2", "restore 4 7", "> ready", "seek 4 7",
                          "take", "commit", "> committed a batch, holds 2, joined, nexts", "finish",
                          "give up 4, taken", "> lost 1, taken", "take nothing", "commit",
                          "> committed a batch, holds 1, joined, at end", "finish"));
}

TEST_F(RunnerTest, WhatIsOnItsWayIsNotAtTheEnd) {
  Batch end;
  end.has_joined = end.is_at_end = true;
  source_.batches = {end};
  stage_.is_pending = true;
  ASSERT_TRUE(run(of_a_group(Milliseconds{0})));
  EXPECT_THAT(calls_,
              ElementsAre("seek", "take nothing", "commit", "> committed a batch, holds 0, joined",
                          "finish", "> committed a batch, holds 0"));
}

// A member of a group whose patience is 0 begins anew instead.
TEST_F(RunnerTest, WithoutPatienceEveryErrorIsReturned) {
  for (const ErrorKind kind : {ErrorKind::retry_later, ErrorKind::aborted,
                               ErrorKind::unknown_outcome, ErrorKind::lost_ownership}) {
    calls_.clear();
    source_.batches = {Batch()};
    stage_.commits = {fail(kind, "planned")};
    const auto ran = run(of_a_group(Milliseconds{0}));
    ASSERT_FALSE(ran);
    EXPECT_EQ(ran.error().kind, kind);
    EXPECT_THAT(calls_, ElementsAre("seek", "take nothing", "commit", "> commit failed: planned"));
    EXPECT_THAT(clock_.sleeps(), IsEmpty());
  }
}

TEST_F(RunnerTest, ACommitIsTriedAgainWithoutTakingTheBatchTwice) {
  source_.batches = {Batch()};
  stage_.commits = {fail(ErrorKind::retry_later, "a"), fail(ErrorKind::retry_later, "b")};
  ASSERT_TRUE(run(of_a_group(Milliseconds{30'000})));
  EXPECT_THAT(calls_, ElementsAre("seek", "take nothing", "commit", "> commit failed: a",
                                  "> retrying in 50 ms", "commit", "> commit failed: b",
                                  "> retrying in 100 ms", "commit", "> recovered",
                                  "> committed a batch, holds 0", "finish"));
}

TEST_F(RunnerTest, AnAbortedTakeGoesBackToWhatIsCommitted) {
  Batch gained;
  gained.gained = both_;
  source_.batches = {gained, Batch(), Batch()};
  stage_.takes = {fail(ErrorKind::aborted, "planned")};
  ASSERT_TRUE(run(of_a_group(Milliseconds{30'000})));
  EXPECT_THAT(calls_, ElementsAre("seek", "finish", "> gained 2", "restore 4 7", "> ready",
                                  "seek 4 7", "take nothing", "> retrying in 50 ms", "restore 4 7",
                                  "> went back", "seek 4 7", "take nothing", "commit",
                                  "> recovered", "> committed a batch, holds 2", "finish"));
}

TEST_F(RunnerTest, WhatIsOnItsWayFailsBeforePartitionsChange) {
  Batch lost;
  lost.lost = first_;
  source_.batches = {lost};
  stage_.finishes = {fail(ErrorKind::lost_ownership, "another store")};
  const auto ran = run(of_a_group(Milliseconds{0}));
  ASSERT_FALSE(ran);
  EXPECT_EQ(ran.error().kind, ErrorKind::lost_ownership);
  EXPECT_THAT(calls_, ElementsAre("seek", "finish", "> commit failed: another store"));
}

}  // namespace
}  // namespace dwell
