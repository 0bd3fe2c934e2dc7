// Large windows in a SQLite file: what a new process restores is what the fold had, whatever came
// in between.
#include "sqlite/window_pieces.h"

#include <gmock/gmock.h>
#include <random>

#include "sqlite/sqlite_committer.h"
#include "tests/contract/store_under_test.h"
#include "tests/fakes/one_partition.h"
#include "tests/fakes/temp_folder.h"

namespace dwell {
namespace {

constexpr std::int64_t kStart = 1'751'932'800'000;

class WindowPiecesTest : public ::testing::Test {
 protected:
  void open(const Rule& rule) {
    committer_.reset();
    auto committer = SqliteCommitter::open(path_, Order::event_time, {});
    ASSERT_TRUE(committer) << committer.error().message;
    committer_ = std::move(*committer);
    fold_ = Fold(rule, 1);
    ASSERT_TRUE(restore_one(*committer_, fold_));
  }

  Result<void> commit(const Script& script) {
    const auto records = records_of(script, 0, script.size());
    next_ += static_cast<Offset>(script.size());
    const std::vector<Position> position = {{"script", next_, ""}};
    const Unit& unit = fold_.fold(records, position);
    auto committed = commit_one(*committer_, unit, fold_);
    if (committed || committed.error().kind == ErrorKind::unknown_outcome) return committed;
    failures_ += 1;
    allow_writes();
    return commit_one(*committer_, unit, fold_);
  }

  std::vector<std::string> states() const {
    std::vector<std::string> all(fold_.device_count());
    for (DeviceIndex i = 0; i < fold_.device_count(); ++i) fold_.encode_state(i, all[i]);
    return all;
  }

  // From then on no commit comes to its end.
  void forbid_writes() {
    run("CREATE TRIGGER no BEFORE INSERT ON input BEGIN SELECT RAISE(FAIL, 'no'); END");
  }
  void allow_writes() { run("DROP TRIGGER no"); }

  std::int64_t count(const std::string& question) {
    auto database = Database::open(path_, {});
    EXPECT_TRUE(database);
    return *(*database)->query_integer(question);
  }

  TempFolder folder_;
  std::string path_ = folder_.file("dwell.db");
  std::unique_ptr<SqliteCommitter> committer_;
  Fold fold_{Rule{}, 1};
  Offset next_ = 0;
  int failures_ = 0;

 private:
  void run(const std::string& sql) {
    auto database = Database::open(path_, {});
    ASSERT_TRUE(database);
    const auto done = (*database)->execute(sql);
    ASSERT_TRUE(done) << done.error().message;
  }
};

Rule window_of(std::uint32_t events) {
  Rule rule;
  rule.order = Order::event_time;
  rule.window_max = events;
  return rule;
}

TEST_F(WindowPiecesTest, AnEventAtTheNewestEndRewritesFewOthers) {
  open(window_of(1024));
  Script script;
  for (int i = 0; i < 500; ++i) {
    script.push_back(event_record("cam", EventType::enter, kStart + i * 60'000, kStart * 2));
  }
  ASSERT_TRUE(commit(script));
  EXPECT_LT(count("SELECT length(state) FROM device"), 150);
  EXPECT_GE(count("SELECT count(*) FROM window"), 27);
  const auto before = count("SELECT max(id) FROM window");
  ASSERT_TRUE(commit({event_record("cam", EventType::exit, kStart + 500 * 60'000, kStart * 2)}));
  EXPECT_EQ(count("SELECT max(id) FROM window"), before);
  const auto had = states();
  open(window_of(1024));
  EXPECT_EQ(states(), had);
}

TEST_F(WindowPiecesTest, AMillisecondIsNotParted) {
  open(window_of(1024));
  Script script;
  for (int i = 0; i < 200; ++i) {
    script.push_back(event_record("cam", EventType::enter, kStart + i, kStart * 2));
  }
  ASSERT_TRUE(commit(script));
  // Each place gets a second event, one commit each.
  for (int i = 199; i >= 0; i -= 3) {
    ASSERT_TRUE(commit({event_record("cam", EventType::exit, kStart + i, kStart * 2)}));
    const auto had = states();
    open(window_of(1024));
    ASSERT_EQ(states(), had) << i;
  }
}

// Batches of every size, late events anywhere, windows that shrink and grow, commits that fail.
TEST_F(WindowPiecesTest, WhatIsRestoredIsWhatTheFoldHad) {
  std::mt19937 random(11);
  const auto below = [&](unsigned bound) { return static_cast<std::int64_t>(random() % bound); };
  Rule rule = window_of(300);
  open(rule);
  std::int64_t now = kStart;
  for (int round = 0; round < 400; ++round) {
    Script script;
    for (auto events = 1 + below(round % 10 == 0 ? 300 : 12); events > 0; --events) {
      now += below(2) * below(1000);
      const auto late = below(10) == 0 ? below(300'000) : below(10) == 0 ? below(2'000) : 0;
      script.push_back(event_record("cam-" + std::to_string(below(3)),
                                    below(2) ? EventType::enter : EventType::exit, now - late,
                                    kStart * 2));
    }
    if (below(8) == 0) forbid_writes();
    const auto committed = commit(script);
    ASSERT_TRUE(committed) << committed.error().message;
    if (below(6) > 0) continue;
    const auto had = states();
    if (below(3) == 0) {
      rule.window_max = static_cast<std::uint32_t>(1 + below(400));
      rule.horizon = Milliseconds{below(2) ? 60'000 + below(500'000) : 86'400'000};
    }
    open(rule);
    ASSERT_EQ(states(), had) << "round " << round;
  }
  EXPECT_GT(failures_, 10);
  EXPECT_GT(count("SELECT count(*) FROM window"), 0);
}

}  // namespace
}  // namespace dwell
