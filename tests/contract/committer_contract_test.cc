// The law of ports/committer.h, on every committer.
#include <gmock/gmock.h>
#include <tuple>

#include "tests/contract/store_under_test.h"
#include "tests/fakes/one_partition.h"

namespace dwell {
namespace {

using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::size_t kBatch = 5;

// Folds a script batch by batch into one store, as the pipeline would, and knows at any time what
// a restore has to give.
class Session {
 public:
  Session(StoreUnderTest& store, const Rule& rule, const Script& script)
      : store_(store), rule_(rule), script_(script) {
    open();
  }

  bool is_done() const { return next_ == script_.size(); }
  Committer& committer() { return *committer_; }

  // Folds the next batch; commit() hands it over, as often as wanted.
  void fold_batch() {
    before_ = lines_of(*fold_, positions_);
    batch_positions_ = positions_;
    const std::size_t count = std::min(kBatch, script_.size() - next_);
    records_ = records_of(script_, next_, count);
    batch_positions_ = {{"script", static_cast<Offset>(next_ + count), std::string("m\0", 2)}};
    unit_ = &fold_->fold(records_, batch_positions_);
    after_ = lines_of(*fold_, batch_positions_);
  }
  Result<void> commit() { return commit_one(*committer_, *unit_, *fold_); }
  void accept_batch() {
    next_ += records_.size();
    positions_ = batch_positions_;
  }

  // What the store must hold before and after the batch folded last.
  const Lines& before() const { return before_; }
  const Lines& after() const { return after_; }

  // Starts from what the same committer restores.
  Lines restore() {
    fold_.emplace(rule_, 2);
    auto restored = restore_one(*committer_, *fold_);
    if (!restored) return {std::string(name(restored.error().kind)), restored.error().message};
    positions_ = *restored;
    next_ = positions_.empty() ? 0 : static_cast<std::size_t>(positions_[0].next);
    return lines_of(*fold_, positions_);
  }

  // The process ends and another one starts.
  Lines reopen() {
    committer_.reset();
    store_.disarm();
    return open();
  }

 private:
  Lines open() {
    auto opened = store_.open(rule_.order);
    if (!opened) return {opened.error().message};
    committer_ = std::move(*opened);
    return restore();
  }

  StoreUnderTest& store_;
  Rule rule_;
  const Script& script_;
  std::unique_ptr<Committer> committer_;
  std::optional<Fold> fold_;
  std::vector<Position> positions_;
  std::size_t next_ = 0;

  std::vector<Record> records_;
  std::vector<Position> batch_positions_;
  const Unit* unit_ = nullptr;
  Lines before_;
  Lines after_;
};

Lines restored_state(StoreUnderTest& store, const Rule& rule) {
  const Script nothing;
  Session session(store, rule, nothing);
  return session.restore();
}

Lines undisturbed(const StoreKind& kind, const Rule& rule, const Script& script) {
  auto store = kind.make();
  Session session(*store, rule, script);
  while (!session.is_done()) {
    session.fold_batch();
    if (!session.commit()) return {"a commit failed"};
    session.accept_batch();
  }
  return restored_lines(*store->crashed_copy(), rule);
}

class CommitterContract : public ::testing::TestWithParam<std::tuple<StoreKind, Order>> {
 protected:
  const StoreKind& kind() const { return std::get<0>(GetParam()); }
  Rule rule() const { return small_rule(std::get<1>(GetParam())); }
  const Script script_ = mixed_script();
};

TEST_P(CommitterContract, AFreshStoreHoldsNothing) {
  auto store = kind().make();
  auto committer = store->open(rule().order);
  ASSERT_TRUE(committer);
  Fold fold(rule(), 1);
  const auto positions = restore_one(**committer, fold);
  ASSERT_TRUE(positions);
  EXPECT_THAT(*positions, IsEmpty());
  EXPECT_EQ(fold.device_count(), 0u);
  EXPECT_EQ(fold.totals(), Totals{});
}

TEST_P(CommitterContract, AfterEveryCommitAnyProcessRestoresItsState) {
  auto store = kind().make();
  Session session(*store, rule(), script_);
  while (!session.is_done()) {
    session.fold_batch();
    ASSERT_TRUE(session.commit());
    session.accept_batch();
    EXPECT_EQ(restored_state(*store->crashed_copy(), rule()), session.after());
  }
  EXPECT_EQ(session.reopen(), session.after());
}

TEST_P(CommitterContract, AnUncommittedBatchLeavesNothing) {
  auto store = kind().make();
  Session session(*store, rule(), script_);
  session.fold_batch();
  EXPECT_EQ(restored_state(*store->crashed_copy(), rule()), session.before());
  EXPECT_EQ(session.reopen(), session.before());
}

TEST_P(CommitterContract, KeepsThePositionsOfAllInputs) {
  auto store = kind().make();
  auto committer = store->open(rule().order);
  ASSERT_TRUE(committer);
  Fold fold(rule(), 1);
  ASSERT_TRUE(restore_one(**committer, fold));
  const std::vector<std::vector<Position>> commits = {
      {{"a", 1, ""}, {"b", 7, "x"}}, {{"a", 9, std::string("\0\xff", 2)}}, {{"c", 0, "new"}}};
  for (const auto& positions : commits) {
    ASSERT_TRUE(commit_one(**committer, fold.fold({}, positions), fold));
  }
  Fold other(rule(), 1);
  auto restored = restore_one(**committer, other);
  ASSERT_TRUE(restored);
  std::sort(restored->begin(), restored->end(),
            [](const Position& a, const Position& b) { return a.source < b.source; });
  EXPECT_THAT(*restored, ElementsAre(Position{"a", 9, std::string("\0\xff", 2)},
                                     Position{"b", 7, "x"}, Position{"c", 0, "new"}));
}

TEST_P(CommitterContract, ASecondWriterIsRefusedUntilTheFirstIsGone) {
  auto store = kind().make();
  auto first = store->open(rule().order);
  ASSERT_TRUE(first);
  const auto second = store->open(rule().order);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, ErrorKind::retry_later);
  EXPECT_THAT(second.error().message, HasSubstr("locked by"));
  first->reset();
  EXPECT_TRUE(store->open(rule().order));
}

TEST_P(CommitterContract, AnotherOrderIsRefused) {
  auto store = kind().make();
  ASSERT_TRUE(store->open(rule().order));
  const bool is_arrival = rule().order == Order::arrival;
  const auto other = store->open(is_arrival ? Order::event_time : Order::arrival);
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().kind, ErrorKind::invalid);
  EXPECT_THAT(other.error().message, HasSubstr(std::string(name(rule().order))));
  EXPECT_TRUE(store->open(rule().order));
}

// What a test does after a commit failed with a known outcome.
enum class Reaction { retry, restore, reopen, crash };

// Runs the script with one trouble at its n-th step and holds every answer against the law. False
// when the run ended before the n-th step.
bool run_troubled(const StoreKind& kind, const Rule& rule, const Script& script,
                  std::size_t trouble, std::size_t at, Reaction reaction, const Lines& expected) {
  auto store = kind.make();
  Session session(*store, rule, script);
  store->arm(trouble, at);
  while (!session.is_done()) {
    session.fold_batch();
    auto committed = session.commit();
    if (committed) {
      session.accept_batch();
      continue;
    }
    if (committed.error().kind == ErrorKind::unknown_outcome) {
      const Lines left_behind = restored_state(*store->crashed_copy(), rule);
      EXPECT_THAT(left_behind, AnyOf(session.before(), session.after()));
      store->disarm();
      const Lines restored = reaction == Reaction::reopen ? session.reopen() : session.restore();
      EXPECT_THAT(restored, AnyOf(session.before(), session.after()));
      // Whichever it was, it is settled now.
      EXPECT_EQ(restored_state(*store->crashed_copy(), rule), restored);
    } else if (reaction == Reaction::retry) {
      store->disarm();
      EXPECT_TRUE(session.commit());
      session.accept_batch();
    } else if (reaction == Reaction::restore) {
      store->disarm();
      EXPECT_EQ(session.restore(), session.before());
    } else if (reaction == Reaction::reopen) {
      EXPECT_EQ(session.reopen(), session.before());
    } else {
      EXPECT_EQ(restored_state(*store->crashed_copy(), rule), session.before());
      return true;  // the session belongs to the dead process
    }
    if (::testing::Test::HasFailure()) return false;
  }
  store->disarm();
  EXPECT_EQ(restored_lines(*store->crashed_copy(), rule), expected);
  return store->was_reached();
}

TEST_P(CommitterContract, TheLawHoldsWhateverFailsAtWhicheverStep) {
  const Lines expected = undisturbed(kind(), rule(), script_);
  const auto troubles = kind().make()->troubles();
  for (std::size_t trouble = 0; trouble < troubles.size(); ++trouble) {
    for (const Reaction reaction :
         {Reaction::retry, Reaction::restore, Reaction::reopen, Reaction::crash}) {
      std::size_t at = 1;
      for (;; ++at) {
        SCOPED_TRACE(::testing::Message() << troubles[trouble] << " at step " << at << ", reaction "
                                          << static_cast<int>(reaction));
        const bool goes_on = run_troubled(kind(), rule(), script_, trouble, at, reaction, expected);
        if (HasFailure()) return;
        if (!goes_on) break;
      }
      EXPECT_GE(at - 1, script_.size() / kBatch + 1) << troubles[trouble] << " met too few commits";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Stores, CommitterContract,
                         ::testing::Combine(::testing::ValuesIn(all_stores()),
                                            ::testing::Values(Order::arrival, Order::event_time)),
                         [](const auto& info) {
                           return std::string(std::get<0>(info.param).name) + "_" +
                                  std::string(name(std::get<1>(info.param)));
                         });

}  // namespace
}  // namespace dwell
