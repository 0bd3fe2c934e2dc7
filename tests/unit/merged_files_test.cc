#include "file/merged_files.h"

#include <fmt/format.h>
#include <fstream>
#include <gmock/gmock.h>
#include <random>

#include "tests/fakes/stopped_clock.h"
#include "tests/fakes/temp_folder.h"

namespace dwell {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr FileLimits kLimits{.record_bytes = 1024, .batch_records = 1000, .batch_bytes = 1 << 20};

// A line of device `name` at `ms`.
std::string line(std::string_view name, std::int64_t ms) {
  return fmt::format(R"({{"device_id":"{}","event_type":"device_enter","timestamp":{}}})"
                     "\n",
                     name, ms);
}

// A record without a time that can be used.
std::string no_time(std::string_view name) {
  return fmt::format("{{\"{}\"}}\n", name);
}

class MergedFilesTest : public ::testing::Test {
 protected:
  std::string write(const std::string& name, const std::string& text) {
    const auto path = folder_.file(name);
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }

  // Reads from what was committed to the end, or `most` batches; positions are committed.
  std::vector<std::string> read(const std::vector<std::string>& paths,
                                const FileLimits& limits = kLimits, std::size_t most = 100'000) {
    MergedFiles files(paths, limits, clock_, Rule());
    const auto sought = files.seek(0, committed_);
    EXPECT_TRUE(sought) << sought.error().message;
    std::vector<std::string> all;
    for (std::size_t i = 0; i < most; ++i) {
      const auto batch = files.poll();
      EXPECT_TRUE(batch) << batch.error().message;
      if (!batch) break;
      const Slice slice = batch->single();
      EXPECT_LE(slice.records.size(), limits.batch_records);
      for (const Record& record : slice.records) all.emplace_back(record.bytes);
      for (const Position& position : slice.positions) commit(position);
      if (batch->is_last) break;
    }
    remarks_ = files.remarks();
    return all;
  }

  void commit(const Position& position) {
    EXPECT_FALSE(position.source.empty());
    for (Position& known : committed_) {
      if (known.source == position.source) {
        known = position;
        return;
      }
    }
    committed_.push_back(position);
  }

  TempFolder folder_;
  StoppedClock clock_;
  std::vector<Position> committed_;
  std::vector<std::string> remarks_;
};

std::vector<std::string> lines_of(const std::vector<std::string>& texts) {
  std::vector<std::string> all;
  for (const auto& text : texts) all.push_back(text.substr(0, text.size() - 1));
  return all;
}

TEST_F(MergedFilesTest, RecordsComeByTheirTimes) {
  const auto a = write("a", line("a", 1000) + line("a", 4000) + line("a", 5000));
  const auto b = write("b", line("b", 2000) + line("b", 3000) + line("b", 6000));
  EXPECT_EQ(read({a, b}), lines_of({line("a", 1000), line("b", 2000), line("b", 3000),
                                    line("a", 4000), line("a", 5000), line("b", 6000)}));
  EXPECT_THAT(remarks_, IsEmpty());
  EXPECT_THAT(read({a, b}), IsEmpty());  // nothing new
}

TEST_F(MergedFilesTest, EqualTimesComeInTheOrderOfTheFiles) {
  const auto a = write("a", line("a", 1000) + line("a", 2000));
  const auto b = write("b", line("b", 1000) + line("b", 2000));
  const auto expected =
      lines_of({line("b", 1000), line("a", 1000), line("b", 2000), line("a", 2000)});
  EXPECT_EQ(read({b, a}), expected);
}

TEST_F(MergedFilesTest, ARecordWithoutATimeStaysBehindTheOneBeforeIt) {
  const auto a = write(
      "a", no_time("first") + line("a", 2000) + no_time("x") + no_time("y") + line("a", 4000));
  const auto b = write("b", line("b", 1000) + line("b", 3000) + no_time("end"));
  EXPECT_EQ(read({a, b}),
            lines_of({no_time("first"), line("b", 1000), line("a", 2000), no_time("x"),
                      no_time("y"), line("b", 3000), no_time("end"), line("a", 4000)}));
}

// Its turn is that of the events behind it; else all of the other file would come before.
TEST_F(MergedFilesTest, OneWrongTimeAtTheBeginningHoldsUpNothing) {
  const auto a = write("a", line("a", 900'000) + line("a", 1000) + line("a", 3000));
  const auto b = write("b", line("b", 2000) + line("b", 4000));
  EXPECT_EQ(read({a, b}), lines_of({line("a", 900'000), line("a", 1000), line("b", 2000),
                                    line("a", 3000), line("b", 4000)}));
  ASSERT_THAT(remarks_, SizeIs(1));
  EXPECT_THAT(remarks_[0], HasSubstr("/a: is not sorted by time: 2 events are older"));
}

TEST_F(MergedFilesTest, AFileThatIsNamedTwiceIsReadOnce) {
  const auto a = write("a", line("a", 1000) + line("a", 2000));
  EXPECT_THAT(read({a, a}), SizeIs(2));
}

TEST_F(MergedFilesTest, AFileThatIsMissingIsToldBeforeAnythingIsRead) {
  const auto a = write("a", line("a", 1000));
  MergedFiles files({a, folder_.file("none")}, kLimits, clock_, Rule());
  const auto sought = files.seek(0, {});
  ASSERT_FALSE(sought);
  EXPECT_EQ(sought.error().kind, ErrorKind::not_found);
}

TEST_F(MergedFilesTest, WhatIsAppendedMeanwhileIsLeftForTheNextTime) {
  const auto a = write("a", line("a", 1000));
  const auto b = write("b", line("b", 2000));
  MergedFiles files({a, b}, kLimits, clock_, Rule());
  ASSERT_TRUE(files.seek(0, {}));
  std::ofstream(a, std::ios::app) << line("a", 3000);
  std::ofstream(b, std::ios::app) << line("b", 4000);
  std::size_t records = 0;
  for (bool is_last = false; !is_last;) {
    const auto batch = files.poll();
    ASSERT_TRUE(batch) << batch.error().message;
    records += batch->single().records.size();
    for (const Position& position : batch->single().positions) commit(position);
    is_last = batch->is_last;
  }
  EXPECT_EQ(records, 2u);
  EXPECT_EQ(read({a, b}), lines_of({line("a", 3000), line("b", 4000)}));
}

TEST_F(MergedFilesTest, ManyFilesOfADayEachNeedFewDescriptors) {
  std::vector<std::string> paths;
  std::vector<std::string> expected;
  constexpr int kFiles = 1'000;
  for (int i = 0; i < kFiles; ++i) {
    const auto text = line("a", 86'400'000ll * i + 1) + line("a", 86'400'000ll * i + 2);
    // Named in another order than that of their times.
    paths.insert(i % 2 ? paths.begin() : paths.end(), write(fmt::format("day-{}", i), text));
    for (const int ms : {1, 2}) {
      auto one = line("a", 86'400'000ll * i + ms);
      one.pop_back();
      expected.push_back(std::move(one));
    }
  }
  const auto open_files = [] {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
      (void)entry;
      ++count;
    }
    return count;
  };
  const auto before = open_files();
  MergedFiles files(paths, kLimits, clock_, Rule());
  ASSERT_TRUE(files.seek(0, {}));
  EXPECT_EQ(open_files(), before);
  EXPECT_EQ(read(paths), expected);
  EXPECT_EQ(open_files(), before);
}

TEST_F(MergedFilesTest, MoreThanCanBeOpenTogetherAreRefusedWithAWayOn) {
  std::vector<std::string> paths;
  for (std::size_t i = 0; i <= MergedFiles::kMostOpen; ++i) {
    const auto text = line("a", static_cast<std::int64_t>(i) + 1) + line("a", 1'000'000);
    paths.push_back(write(fmt::format("gate-{}", i), text));
  }
  MergedFiles files(paths, kLimits, clock_, Rule());
  ASSERT_TRUE(files.seek(0, {}));
  auto batch = files.poll();
  while (batch && !batch->is_last) batch = files.poll();
  ASSERT_FALSE(batch);
  EXPECT_EQ(batch.error().kind, ErrorKind::invalid);
  EXPECT_THAT(batch.error().message, HasSubstr("--as-given"));
  paths.pop_back();
  EXPECT_THAT(read(paths), SizeIs(2 * MergedFiles::kMostOpen));
}

// Whatever a file holds, a merge that is ended anywhere goes on in the same order.
TEST_F(MergedFilesTest, ItGoesOnAsIfItHadNeverEnded) {
  std::mt19937 random(7);
  for (int round = 0; round < 30; ++round) {
    std::vector<std::string> paths;
    std::size_t count = 0;
    for (int file = 0; file < 4; ++file) {
      std::string text;
      std::int64_t time = static_cast<std::int64_t>(random() % 500);
      for (unsigned i = random() % 900; i > 0; --i) {
        time += static_cast<std::int64_t>(random() % 10);
        const auto wrong = random() % 50 == 0 ? 5000 : static_cast<std::int64_t>(random() % 20);
        text += random() % 10 == 0 ? no_time(fmt::format("{}-{}", file, i))
                                   : line(fmt::format("{}-{}", file, i), time + wrong);
        ++count;
        if (random() % 40 == 0) text += "\n";
      }
      paths.push_back(write(fmt::format("file-{}-{}", round, file), text));
    }
    committed_.clear();
    const auto whole = read(paths);
    ASSERT_EQ(whole.size(), count);
    committed_.clear();
    std::vector<std::string> pieces;
    FileLimits limits = kLimits;
    for (;;) {
      limits.batch_records = 1 + random() % 200;
      const auto piece = read(paths, limits, 1 + random() % 3);
      if (piece.empty()) break;
      pieces.insert(pieces.end(), piece.begin(), piece.end());
    }
    ASSERT_EQ(pieces, whole) << "round " << round;
  }
}

}  // namespace
}  // namespace dwell
