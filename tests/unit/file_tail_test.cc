#include "file/file_tail.h"

#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <gmock/gmock.h>
#include <map>

#include "tests/fakes/stopped_clock.h"

namespace dwell {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// A folder with a log in it, somebody who writes it, and a reader that can be restarted.
class FileTailTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string folder = testing::TempDir() + "dwell_tail_XXXXXX";
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    folder_ = std::filesystem::canonical(folder);
    start();
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name = "log") const { return folder_ / name; }
  void append(std::string_view text, const std::string& name = "log") const {
    std::ofstream(path(name), std::ios::binary | std::ios::app) << text;
  }
  void rotate(const std::string& name = "log.1") const {
    std::filesystem::rename(path(), path(name));
  }

  std::string name() const { return followed_.empty() ? path() : followed_; }

  // Has `name` lead to `target`, at one stroke.
  void link(const std::string& target, const std::string& name = "log") const {
    std::filesystem::create_symlink(target, path("link"));
    std::filesystem::rename(path("link"), path(name));
  }

  // A new process: it knows what was committed and nothing else.
  void start() {
    auto tail = FileTail::open(!spelling_.empty() ? spelling_ : name(), kLimits, clock_,
                               [this](const std::string& what) { gaps_.push_back(what); });
    ASSERT_TRUE(tail) << tail.error().message;
    tail_ = std::move(*tail);
    std::vector<Position> committed;
    for (const auto& [source, position] : committed_) committed.push_back(position);
    const auto sought = tail_->seek(0, committed);
    ASSERT_TRUE(sought) << sought.error().message;
  }

  // What the next polls give, until several in a row give nothing; all of it is committed.
  std::vector<std::string> read() {
    std::vector<std::string> lines;
    for (int empty = 0; empty < 4;) {
      const auto batch = tail_->poll();
      EXPECT_TRUE(batch) << batch.error().message;
      if (!batch) return lines;
      EXPECT_FALSE(batch->is_last);
      for (const Record& record : batch->single().records) lines.emplace_back(record.bytes);
      for (const Position& position : batch->single().positions) {
        EXPECT_EQ(position.source, name());
        committed_[position.source] = position;
      }
      empty = batch->single().records.empty() && batch->single().positions.empty() ? empty + 1 : 0;
    }
    return lines;
  }

  static constexpr FileLimits kLimits{
      .record_bytes = 1024, .batch_records = 100, .batch_bytes = 2048};
  StoppedClock clock_;
  std::filesystem::path folder_;
  std::string followed_;  // empty: path()
  std::string spelling_;  // of what is followed; empty: its name
  std::map<std::string, Position> committed_;
  std::vector<std::string> gaps_;
  std::unique_ptr<FileTail> tail_;
};

TEST_F(FileTailTest, GivesWhatIsAppended) {
  append("a\nb\n");
  EXPECT_THAT(read(), ElementsAre("a", "b"));
  EXPECT_THAT(read(), IsEmpty());
  append("c\n");
  EXPECT_THAT(read(), ElementsAre("c"));
  EXPECT_THAT(gaps_, IsEmpty());
}

TEST_F(FileTailTest, ALineWithoutItsEndWaits) {
  append("a\nhal");
  EXPECT_THAT(read(), ElementsAre("a"));
  append("f\n");
  EXPECT_THAT(read(), ElementsAre("half"));
}

TEST_F(FileTailTest, AWholeObjectAtTheEndNeedsNoNewline) {
  append("{\"a\":1}\n{\"b\":2}");
  EXPECT_THAT(read(), ElementsAre("{\"a\":1}"));
  clock_.pass(std::chrono::milliseconds(999));
  EXPECT_THAT(read(), IsEmpty());
  clock_.pass(std::chrono::milliseconds(1));
  EXPECT_THAT(read(), ElementsAre("{\"b\":2}"));
  EXPECT_EQ(committed_.at(path()).next, 15);
  start();
  EXPECT_THAT(read(), IsEmpty());
  append("\n{\"c\":3}\n");
  EXPECT_THAT(read(), ElementsAre("{\"c\":3}"));
}

TEST_F(FileTailTest, AnObjectThatGrowsOrIsNoneWaits) {
  append("{\"a\":1}\n{\"b\":");
  EXPECT_THAT(read(), ElementsAre("{\"a\":1}"));
  clock_.pass(std::chrono::seconds(5));
  EXPECT_THAT(read(), IsEmpty());
  append("{}}");
  EXPECT_THAT(read(), IsEmpty()) << "it has just grown";
  clock_.pass(std::chrono::seconds(1));
  EXPECT_THAT(read(), ElementsAre("{\"b\":{}}"));
}

TEST_F(FileTailTest, AFileOfOneObjectWithoutNewlineArrives) {
  append("\xef\xbb\xbf{\"a\":1}");
  EXPECT_THAT(read(), IsEmpty());
  clock_.pass(std::chrono::seconds(1));
  EXPECT_THAT(read(), ElementsAre("{\"a\":1}"));
  EXPECT_EQ(committed_.at(path()).next, 10);
}

TEST_F(FileTailTest, WhatIsNoLinesIsToldUntilLinesStandThere) {
  std::vector<std::string> told;
  auto tail = FileTail::open(
      path(), kLimits, clock_, [](const std::string&) {}, {},
      [&](const std::string& why) { told.push_back(why); });
  ASSERT_TRUE(tail);
  tail_ = std::move(*tail);
  ASSERT_TRUE(tail_->seek(0, {}));
  append("[{\"a\":1}]");
  EXPECT_THAT(read(), IsEmpty());
  EXPECT_THAT(told, ElementsAre(testing::HasSubstr("only one JSON object a line")));
  std::filesystem::remove(path());
  append("{\"b\":2}\n");
  EXPECT_THAT(read(), ElementsAre("{\"b\":2}"));
  EXPECT_THAT(told, SizeIs(2));
}

TEST_F(FileTailTest, TheFileMayComeLater) {
  EXPECT_THAT(read(), IsEmpty());
  append("a\n");
  EXPECT_THAT(read(), ElementsAre("a"));
  EXPECT_THAT(gaps_, IsEmpty());
}

TEST_F(FileTailTest, GoesOnWhereTheLastProcessCommitted) {
  append("a\nb\nha");
  read();
  append("lf\nc\n");
  start();
  EXPECT_THAT(read(), ElementsAre("half", "c"));
}

TEST_F(FileTailTest, GoesBackToWhatWasCommitted) {
  append("a\nb\n");
  ASSERT_TRUE(tail_->poll());  // not committed
  const auto sought = tail_->seek(0, {});
  ASSERT_TRUE(sought);
  EXPECT_THAT(read(), ElementsAre("a", "b"));
}

TEST_F(FileTailTest, ARotatedFileIsReadToItsEndThenTheNewOne) {
  append("a\nb\n");
  EXPECT_THAT(read(), ElementsAre("a", "b"));
  append("c\nlast");
  rotate();
  append("d\n");
  EXPECT_THAT(read(), ElementsAre("c", "last", "d"));
  append("e\n");
  start();
  EXPECT_THAT(read(), ElementsAre("e"));
  EXPECT_THAT(gaps_, IsEmpty());
}

TEST_F(FileTailTest, ARotatedFileWaitsForTheNewOne) {
  append("a\n");
  read();
  append("b\n");
  rotate();
  EXPECT_THAT(read(), ElementsAre("b"));
  append("c\n", "log.1");  // the writer has not noticed yet
  EXPECT_THAT(read(), ElementsAre("c"));
  append("d\n");
  EXPECT_THAT(read(), ElementsAre("d"));
  EXPECT_THAT(gaps_, IsEmpty());
}

TEST_F(FileTailTest, ARotationWhileDownIsFoundUnderItsNewName) {
  append("a\nb\n");
  read();
  append("c\n");
  rotate("log.2025-07-08");
  append("x\n", "other");
  append("d\n");
  start();
  EXPECT_THAT(read(), ElementsAre("c", "d"));
  EXPECT_THAT(gaps_, IsEmpty());
}

TEST_F(FileTailTest, ARotationWhileDownIsFoundBeforeThereIsANewFile) {
  append("a\nb\n");
  read();
  append("c\n");
  rotate();
  start();
  EXPECT_THAT(read(), ElementsAre("c"));
  append("d\n");
  EXPECT_THAT(read(), ElementsAre("d"));
  EXPECT_THAT(gaps_, IsEmpty());
}

TEST_F(FileTailTest, AProcessThatDiesInARotatedFileFinishesItLater) {
  append("a\nb\n");
  read();
  append("c\n");
  rotate();
  append("d\n");
  ASSERT_TRUE(tail_->poll());  // read c and not committed
  start();
  EXPECT_THAT(read(), ElementsAre("c", "d"));
  EXPECT_THAT(gaps_, IsEmpty());
}

TEST_F(FileTailTest, AFileThatIsGoneIsAGap) {
  append("a\nb\n");
  read();
  std::filesystem::remove(path());
  append("d\n");
  start();
  EXPECT_THAT(gaps_, SizeIs(1));
  EXPECT_THAT(read(), ElementsAre("d"));
  start();
  EXPECT_THAT(read(), IsEmpty());
  EXPECT_THAT(gaps_, SizeIs(1));
}

TEST_F(FileTailTest, AFileThatWasCutIsAGap) {
  append("aaaa\nbbbb\n");
  read();
  std::filesystem::resize_file(path(), 0);
  append("c\n");
  EXPECT_THAT(read(), ElementsAre("c"));
  EXPECT_THAT(gaps_, SizeIs(1));
  append("d\n");
  EXPECT_THAT(read(), ElementsAre("d"));
  start();
  EXPECT_THAT(read(), IsEmpty());
  EXPECT_THAT(gaps_, SizeIs(1));
}

TEST_F(FileTailTest, AFileThatWasCutWithinALineIsNoMixtureOfTwo) {
  append("aaaa\nhalf");
  EXPECT_THAT(read(), ElementsAre("aaaa"));
  std::filesystem::resize_file(path(), 5);
  EXPECT_THAT(read(), IsEmpty());
  append("whole line\n");
  EXPECT_THAT(read(), ElementsAre("whole line"));
}

TEST_F(FileTailTest, TheOldFileIsReadOnWhileTheNewOneIsEmpty) {
  append("a\n");
  read();
  rotate();
  append("");
  append("b\n", "log.1");
  EXPECT_THAT(read(), ElementsAre("b"));
  append("c\n", "log.1");
  append("d\n");
  EXPECT_THAT(read(), ElementsAre("c", "d"));
}

TEST_F(FileTailTest, NoOtherFileIsTakenForOneOfWhichNothingWasRead) {
  append("a\n");
  read();
  rotate();
  append("b\n");
  while (committed_[path()].next != 0) {
    const auto batch = tail_->poll();
    ASSERT_TRUE(batch);
    for (const Position& position : batch->single().positions)
      committed_[position.source] = position;
  }
  std::filesystem::remove(path());
  append("not a log\n", "neighbour");
  start();
  EXPECT_THAT(gaps_, SizeIs(1));
  EXPECT_THAT(read(), IsEmpty());
  append("c\n");
  EXPECT_THAT(read(), ElementsAre("c"));
}

TEST_F(FileTailTest, ALinkThatLeadsToAnotherFileIsARotation) {
  append("a\nb\n", "one");
  link("one");
  EXPECT_THAT(read(), ElementsAre("a", "b"));
  append("c\nlast", "one");
  append("d\n", "two");
  link("two");
  EXPECT_THAT(read(), ElementsAre("c", "last", "d"));
  append("e\n", "one");  // too late: it was finished
  append("f\n", "two");
  start();
  EXPECT_THAT(read(), ElementsAre("f"));
  EXPECT_THAT(gaps_, IsEmpty());
}

TEST_F(FileTailTest, ALinkThatIsThereAtTheStartIsFollowedToo) {
  append("a\n", "one");
  link("one");
  start();
  EXPECT_THAT(read(), ElementsAre("a"));
  append("b\n", "one");
  append("c\n", "two");
  link("two");
  EXPECT_THAT(read(), ElementsAre("b", "c"));
  append("d\n", "two");
  EXPECT_THAT(read(), ElementsAre("d"));
  std::filesystem::remove(path());
  append("e\n", "two");
  EXPECT_THAT(read(), ElementsAre("e"));
  append("f\n");  // a file where the link was
  EXPECT_THAT(read(), ElementsAre("f"));
  EXPECT_THAT(gaps_, IsEmpty());
}

TEST_F(FileTailTest, ALinkThatLeadsToNothingYetIsWaitedFor) {
  link("one");
  start();
  EXPECT_THAT(read(), IsEmpty());
  append("a\n", "one");
  EXPECT_THAT(read(), ElementsAre("a"));
  EXPECT_THAT(gaps_, IsEmpty());
}

TEST_F(FileTailTest, ALinkThatChangedWhileDownIsFinishedFirst) {
  append("a\n", "one");
  link("one");
  start();
  EXPECT_THAT(read(), ElementsAre("a"));
  append("b\n", "one");
  append("c\n", "two");
  link("two");
  start();
  EXPECT_THAT(read(), ElementsAre("b", "c"));
  EXPECT_THAT(gaps_, IsEmpty());
}

TEST_F(FileTailTest, AFileBehindALinkIsRotatedInItsFolder) {
  std::filesystem::create_directory(path("d"));
  append("a\n", "d/one");
  link("d/one");
  start();
  EXPECT_THAT(read(), ElementsAre("a"));
  append("b\n", "d/one");
  std::filesystem::rename(path("d/one"), path("d/one.1"));
  start();  // the link leads to nothing now
  EXPECT_THAT(read(), ElementsAre("b"));
  append("c\n", "d/one");
  EXPECT_THAT(read(), ElementsAre("c"));
  EXPECT_THAT(gaps_, IsEmpty());
}

TEST_F(FileTailTest, WhatALinkLedToWhileDownAndIsOutOfReachIsAGap) {
  for (const std::string folder : {"d", "e"}) {
    std::filesystem::create_directory(path(folder));
    append(folder + "\n", folder + "/one");
  }
  link("d/one");
  start();
  EXPECT_THAT(read(), ElementsAre("d"));
  link("e/one");
  start();
  EXPECT_THAT(read(), ElementsAre("e"));
  EXPECT_THAT(gaps_, SizeIs(1));
}

TEST_F(FileTailTest, AFileThatALinkLedToBetweenTwoLooksIsAGap) {
  append("a\n", "log-1");
  link("log-1");
  start();
  EXPECT_THAT(read(), ElementsAre("a"));
  const auto written = std::filesystem::last_write_time(path("log-1"));
  std::filesystem::last_write_time(path("log-1"), written - std::chrono::hours(1));
  append("b\n", "log-2");
  append("c\n", "log-3");
  link("log-2");
  link("log-3");
  EXPECT_THAT(read(), ElementsAre("c"));
  EXPECT_THAT(gaps_, ElementsAre(testing::HasSubstr("log-2")));
}

TEST_F(FileTailTest, APathHasOneName) {
  std::filesystem::create_directory(path("d"));
  std::filesystem::create_directory(path("d/e"));
  append("a\n", "d/one");
  std::filesystem::create_directory_symlink("d/e", path("link"));
  followed_ = path("d/one");
  start();
  EXPECT_THAT(read(), ElementsAre("a"));
  for (const std::string spelling : {"d/./one", "./d//one", "d/e/../one", "link/../one"}) {
    append("b\n", "d/one");
    spelling_ = path(spelling);
    start();
    EXPECT_THAT(read(), ElementsAre("b")) << spelling;
  }
  EXPECT_THAT(gaps_, IsEmpty());
}

TEST_F(FileTailTest, AFolderThatALinkLeadsToMayBeAnother) {
  for (const std::string folder : {"d", "e"}) {
    std::filesystem::create_directory(path(folder));
    append(folder + "\n", folder + "/one");
  }
  link("d", "current");
  followed_ = path("current/one");
  start();
  EXPECT_THAT(read(), ElementsAre("d"));
  append("d2\n", "d/one");
  link("e", "current");
  EXPECT_THAT(read(), ElementsAre("d2", "e"));
  EXPECT_THAT(gaps_, IsEmpty());
}

TEST_F(FileTailTest, ALinkGoesOnWhereItsFileWasReadUnderItsOwnName) {
  append("a\n", "one");
  followed_ = path("one");
  start();
  EXPECT_THAT(read(), ElementsAre("a"));
  append("b\n", "one");
  link("one");
  followed_.clear();
  start();
  EXPECT_THAT(read(), ElementsAre("b"));
  EXPECT_THAT(gaps_, IsEmpty());
}

TEST_F(FileTailTest, AFolderIsRefused) {
  const auto tail = FileTail::open(folder_, kLimits, clock_, [](const std::string&) {});
  ASSERT_FALSE(tail);
  EXPECT_EQ(tail.error().kind, ErrorKind::invalid);
}

}  // namespace
}  // namespace dwell
