// Runs every *.case file on the core and on SQLite; README.md says how often each.
#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <random>
#include <set>

#include "core/decoder.h"
#include "core/fold.h"
#include "sqlite/sqlite_committer.h"
#include "sqlite/sqlite_report.h"
#include "sqlite/sqlite_row_reader.h"
#include "tests/fakes/one_partition.h"
#include "tests/fakes/questions.h"
#include "tests/golden/case_file.h"
#include "tests/golden/ending.h"

namespace dwell::golden {
namespace {

constexpr std::uint64_t kHashSeed = 42;
const std::string kSource = "case";

std::vector<std::string> case_paths() {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(DWELL_SOURCE_DIR "/tests/golden")) {
    if (entry.path().extension() == ".case") paths.push_back(entry.path().string());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

// The records of a case, numbered from 0.
std::vector<Record> records_of(const CaseFile& golden) {
  std::vector<Record> records;
  for (const Step& step : golden.steps) {
    records.push_back(
        {step.bytes, 0, static_cast<Offset>(records.size()), step.now, step.truncated_from});
  }
  return records;
}

// Ends of batches: 3 means that the third record is the last of its batch.
using Cuts = std::set<std::size_t>;

Cuts every(std::size_t size, std::size_t count) {
  Cuts cuts;
  for (std::size_t end = size; end < count; end += size) cuts.insert(end);
  return cuts;
}

// Hands out the batches between the cuts, in order; `f(batch, positions, is_last)`.
template <typename F>
void each_batch(std::span<const Record> records, Cuts cuts, F f) {
  cuts.insert(records.size());
  std::size_t start = 0;
  for (const std::size_t end : cuts) {
    const std::vector<Position> positions{{kSource, static_cast<Offset>(end), ""}};
    f(records.subspan(start, end - start), std::span(positions), end == records.size());
    start = end;
  }
}

// What the core did: a line for each record as describe(Step) writes it, and what it ended in.
struct CoreRun {
  std::vector<std::string> effects;
  Ending ending;
  std::map<std::string, std::string> states;  // encoded
};

void note(const Unit& unit, const Totals& before, const Fold& fold, CoreRun& run) {
  std::vector<Step> steps(unit.outcomes.size());
  for (std::size_t i = 0; i < steps.size(); ++i) steps[i].outcome = unit.outcomes[i];
  for (const auto& cleaned : unit.changes) {
    const std::string device(fold.device_id(cleaned.device));
    steps[cleaned.record].changes.push_back({device, cleaned.change});
    run.ending.apply(device, cleaned.change);
  }
  // One record at a time shows under which name it was ignored.
  const auto ignored = (unit.totals - before).ignored_types;
  for (Step& step : steps) {
    if (step.outcome == Outcome::ignored && steps.size() == 1) {
      step.ignored_type = ignored.at(0).type;
    }
    run.effects.push_back(describe(step));
  }
}

std::map<std::string, std::string> encoded_states(const Fold& fold) {
  std::map<std::string, std::string> states;
  for (DeviceIndex i = 0; i < fold.device_count(); ++i) {
    fold.encode_state(i, states[std::string(fold.device_id(i))]);
  }
  return states;
}

// A fold that knows of `fold` only what a store would keep.
Fold resumed(const Fold& fold) {
  Fold fresh(fold.rule(), kHashSeed + 1);
  for (DeviceIndex i = 0; i < fold.device_count(); ++i) {
    std::string state;
    fold.encode_state(i, state);
    EXPECT_TRUE(fresh.load_device(fold.device_id(i), state));
  }
  fresh.load_totals(fold.totals());
  return fresh;
}

enum class AtCut { go_on, resume };

CoreRun run_core(const CaseFile& golden, const Cuts& cuts, AtCut at_cut) {
  CoreRun run;
  const auto records = records_of(golden);
  Fold fold(golden.rule, kHashSeed);
  each_batch(records, cuts, [&](auto batch, auto positions, bool is_last) {
    const Totals before = fold.totals();
    note(fold.fold(batch, positions), before, fold, run);
    if (at_cut == AtCut::resume && !is_last) fold = resumed(fold);
  });
  run.ending.totals = fold.totals();
  run.states = encoded_states(fold);
  return run;
}

// Ignored types are told apart only in batches of one, so that runs compare without them.
void expect_same(const CoreRun& actual, const CoreRun& expected) {
  const auto without_type = [](std::vector<std::string> effects) {
    for (auto& effect : effects) {
      if (effect.starts_with("ignored")) effect = "ignored";
    }
    return effects;
  };
  EXPECT_EQ(without_type(actual.effects), without_type(expected.effects));
  EXPECT_EQ(actual.ending.totals, expected.ending.totals);
  EXPECT_EQ(actual.ending.rows, expected.ending.rows);
  EXPECT_EQ(actual.states, expected.states);
}

std::string title(const testing::TestParamInfo<std::string>& path) {
  return std::filesystem::path(path.param).stem().string();
}

class GoldenTest : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    auto loaded = load_case(GetParam());
    ASSERT_TRUE(loaded) << loaded.error().message;
    golden_ = *loaded;
  }
  std::size_t count() const { return golden_.steps.size(); }

  CaseFile golden_;
};

class Core : public GoldenTest {};
INSTANTIATE_TEST_SUITE_P(Cases, Core, testing::ValuesIn(case_paths()), title);

TEST_P(Core, RecordByRecord) {
  const auto run = run_core(golden_, every(1, count()), AtCut::go_on);
  for (std::size_t i = 0; i < count(); ++i) {
    EXPECT_EQ(run.effects[i], describe(golden_.steps[i]))
        << GetParam() << ":" << golden_.steps[i].line;
  }
  check_ending(golden_, run.ending);
}

TEST_P(Core, WholeAndInEveryBatchSize) {
  const auto single = run_core(golden_, every(1, count()), AtCut::go_on);
  for (std::size_t size = 2; size <= count(); ++size) {
    SCOPED_TRACE(fmt::format("batches of {}", size));
    expect_same(run_core(golden_, every(size, count()), AtCut::go_on), single);
  }
}

TEST_P(Core, CutAndResumedAfterEveryRecord) {
  const auto whole = run_core(golden_, {}, AtCut::go_on);
  for (std::size_t cut = 1; cut < count(); ++cut) {
    SCOPED_TRACE(fmt::format("cut after {} records", cut));
    expect_same(run_core(golden_, {cut}, AtCut::resume), whole);
  }
  SCOPED_TRACE("cut after every record");
  expect_same(run_core(golden_, every(1, count()), AtCut::resume), whole);
}

class Sqlite : public GoldenTest {
 protected:
  void SetUp() override {
    GoldenTest::SetUp();
    std::string folder = testing::TempDir() + "dwell_golden_XXXXXX";
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    folder_ = folder;
    path_ = folder_ / "case.db";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<SqliteCommitter> open() const {
    SqliteCommitterOptions options;
    options.rejects_max_age = std::chrono::days(4'000'000);
    auto committer = SqliteCommitter::open(path_, golden_.rule.order, options);
    EXPECT_TRUE(committer) << committer.error().message;
    return std::move(*committer);
  }

  // Commits the case; at each cut the process "dies" and another one takes over.
  void run(const Cuts& cuts) const {
    const auto records = records_of(golden_);
    auto start = Offset{0};
    each_batch(records, cuts, [&](auto batch, auto positions, bool) {
      auto committer = open();
      Fold fold(golden_.rule, kHashSeed);
      const auto restored = restore_one(*committer, fold);
      ASSERT_TRUE(restored) << restored.error().message;
      const std::vector<Position> committed{{kSource, start, ""}};
      EXPECT_EQ(*restored, start == 0 ? std::vector<Position>() : committed);
      const auto done = commit_one(*committer, fold.fold(batch, positions), fold);
      ASSERT_TRUE(done) << done.error().message;
      start = positions.front().next;
    });
  }

  void check() const {
    auto reader = SqliteRowReader::open(path_);
    ASSERT_TRUE(reader) << reader.error().message;
    auto report = SqliteReport::open(path_);
    ASSERT_TRUE(report) << report.error().message;
    boost::asio::io_context context(1);
    Questions questions(context, **reader);
    check_ending(golden_, ending(questions, **report));
    check_presence(questions);
    check_rejects(**report);
  }

 private:
  Ending ending(Questions& questions, StoreReport& report) const {
    Ending ending;
    const auto totals = report.totals();
    EXPECT_TRUE(totals);
    ending.totals = totals->totals;
    ending.absorbed = totals->absorbed;
    ending.faults = totals->faults;
    std::uint64_t row_count = 0;
    for (const auto& [device, expected] : expected_ending(golden_).rows) {
      const auto rows = questions.timeline({.device = device, .after = {}});
      EXPECT_TRUE(rows);
      if (!rows->empty()) ending.rows[device] = *rows;
      row_count += rows->size();
    }
    EXPECT_EQ(totals->rows, row_count) << "rows of devices the case does not know";
    EXPECT_EQ(totals->order, golden_.rule.order);
    return ending;
  }

  // Who is inside now must be what the rows say.
  void check_presence(Questions& questions) const {
    std::map<std::string, std::string> expected, actual;
    for (const auto& [device, rows] : expected_ending(golden_).rows) {
      const auto words = presence(rows);
      if (words.starts_with("inside")) expected[device] = words;
    }
    const auto inside = questions.presence({.after = {}});
    ASSERT_TRUE(inside);
    for (const auto& [device, since] : inside->inside) {
      actual[device] = fmt::format("inside since {}", to_ms(since));
    }
    EXPECT_EQ(actual, expected);
  }

  // Whether the rows say what a late event says: such a one is not kept.
  bool is_shown(const Step& step) const {
    if (step.outcome != Outcome::too_late) return false;
    Decoder decoder(golden_.rule);
    const Event event = decoder.decode({.bytes = step.bytes, .now = step.now}).event;
    const Ending ending = expected_ending(golden_);
    const auto rows = ending.rows.find(std::string(event.device));
    if (rows == ending.rows.end()) return false;
    const Row* last = nullptr;
    for (const Row& row : rows->second) {
      if (row.timestamp > event.timestamp) break;
      if (row.timestamp == event.timestamp && row.type == event.type) return true;
      last = &row;
    }
    return last && last->type == event.type;
  }

  void check_rejects(StoreReport& report) const {
    const auto kept = report.rejected({.reason = {}, .id = {}});
    ASSERT_TRUE(kept);
    auto next = kept->begin();
    for (std::size_t i = 0; i < count(); ++i) {
      const Step& step = golden_.steps[i];
      if (!is_rejected(step.outcome) || is_shown(step)) continue;
      ASSERT_NE(next, kept->end()) << "not kept: line " << step.line;
      EXPECT_EQ(next->reason, name(step.outcome));
      EXPECT_EQ(next->source, kSource);
      EXPECT_EQ(next->offset, static_cast<Offset>(i));
      EXPECT_EQ(next->received, step.now);
      EXPECT_EQ(next->bytes, step.bytes);
      EXPECT_EQ(next->truncated_from, step.truncated_from);
      ++next;
    }
    EXPECT_EQ(next, kept->end());
  }

  std::filesystem::path folder_;
  std::string path_;
};
INSTANTIATE_TEST_SUITE_P(Cases, Sqlite, testing::ValuesIn(case_paths()), title);

TEST_P(Sqlite, Whole) {
  run({});
  check();
}

// One cut, chosen by a seed that differs from case to case; a failure prints it.
TEST_P(Sqlite, Cut) {
  if (count() < 2) return run({}), check();
  std::seed_seq seed(golden_.name.begin(), golden_.name.end());
  std::mt19937 random(seed);
  const auto cut = 1 + random() % (count() - 1);
  SCOPED_TRACE(fmt::format("cut after {} records", cut));
  run({cut});
  check();
}

}  // namespace
}  // namespace dwell::golden
