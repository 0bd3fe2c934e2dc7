// FileTail on what is no growing file: nothing that comes to stand under the path ends it or makes
// it wait, and reading goes on where it was.
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <functional>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file/file_tail.h"
#include "tests/fakes/no_free_files.h"
#include "tests/fakes/stopped_clock.h"

namespace dwell {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class UnfitInputTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string folder = testing::TempDir() + "dwell_unfit_XXXXXX";
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    folder_ = fs::canonical(folder);
    path_ = folder_ / "log";
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string other(const std::string& name) const { return folder_ / name; }
  void append(std::string_view text, const std::string& name = "log") const {
    std::ofstream(folder_ / name, std::ios::binary | std::ios::app) << text;
  }
  // A new process, which knows what was committed.
  void start(const FileLimits& limits = kLimits) {
    auto tail = FileTail::open(
        path_, limits, clock_, [this](const std::string& what) { gaps_.push_back(what); },
        {other("dwell.db")}, [this](const std::string& why) { told_.push_back(why); });
    ASSERT_TRUE(tail) << tail.error().message;
    tail_ = std::move(*tail);
    const auto sought = tail_->seek(0, committed_);
    ASSERT_TRUE(sought) << sought.error().message;
  }
  // What the next polls give, all of it committed, until they give nothing; then what was told.
  std::vector<std::string> read() {
    std::vector<std::string> lines;
    for (int empty = 0; empty < 4;) {
      const auto batch = tail_->poll();
      EXPECT_TRUE(batch) << batch.error().message;
      if (!batch) return lines;
      EXPECT_FALSE(batch->is_last);
      const Slice slice = batch->single();
      for (const Record& record : slice.records) lines.emplace_back(record.bytes);
      if (!slice.positions.empty()) committed_ = {slice.positions.back()};
      empty = slice.records.empty() && slice.positions.empty() ? empty + 1 : 0;
    }
    lines.insert(lines.end(), told_.begin(), told_.end());
    told_.clear();
    return lines;
  }
  int open_writer() const { return ::open(path_.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC); }
  static void write(int writer, std::string_view text) {
    ASSERT_EQ(::write(writer, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }

  static constexpr FileLimits kLimits{
      .record_bytes = 1024, .batch_records = 100, .batch_bytes = 2048};
  StoppedClock clock_;
  fs::path folder_;
  std::string path_;
  std::vector<Position> committed_;
  std::vector<std::string> gaps_;
  std::vector<std::string> told_;
  std::unique_ptr<FileTail> tail_;
};

// What may come to stand under the path, and a word of what is said about it.
struct Unfit {
  std::string word;
  std::function<void(const std::string& path)> make;
};

const Unfit kUnfits[] = {
    {"is a folder", [](const std::string& p) { fs::create_directory(p); }},
    {"is a device", [](const std::string& p) { fs::create_symlink("/dev/zero", p); }},
    {"does not tell its size", [](const std::string& p) { fs::create_symlink("/proc/uptime", p); }},
    {"symbolic links", [](const std::string& p) { fs::create_symlink("log", p); }},
    {"belongs to the database",
     [](const std::string& p) {
       const auto database = fs::path(p).parent_path() / "dwell.db";
       std::ofstream(database) << "pages\n";
       fs::create_hard_link(database, p);
     }},
};

TEST_F(UnfitInputTest, IsRefusedAtTheStart) {
  for (const Unfit& unfit : kUnfits) {
    unfit.make(path_);
    const auto tail =
        FileTail::open(path_, kLimits, clock_, [](const std::string&) {}, {other("dwell.db")});
    ASSERT_FALSE(tail) << unfit.word;
    EXPECT_EQ(tail.error().kind, ErrorKind::invalid);
    EXPECT_THAT(tail.error().message, HasSubstr(unfit.word));
    fs::remove(path_);
  }
}

TEST_F(UnfitInputTest, IsToldWhileItStandsThereAndReadingGoesOn) {
  append("a\n");
  start();
  EXPECT_THAT(read(), ElementsAre("a"));
  int n = 0;
  for (const Unfit& unfit : kUnfits) {
    SCOPED_TRACE(unfit.word);
    fs::rename(path_, other("away"));
    unfit.make(path_);
    EXPECT_THAT(read(), ElementsAre(HasSubstr(unfit.word)));
    EXPECT_THAT(read(), IsEmpty()) << "told once";
    append("from the old one\n", "away");
    // What can be read is read; that nothing else can is told once more.
    EXPECT_THAT(read(), ElementsAre("from the old one", "", HasSubstr(unfit.word)));
    fs::remove(path_);
    if (n % 2 == 0) {
      fs::rename(other("away"), path_);  // the same file is back
    } else {
      fs::remove(other("away"));
    }
    append("next\n");
    EXPECT_THAT(read(), ElementsAre("next", ""));
    ++n;
  }
  EXPECT_THAT(gaps_, IsEmpty());
}

TEST_F(UnfitInputTest, IsToldWhereThereWasNoFileYet) {
  start();
  for (const Unfit& unfit : kUnfits) {
    unfit.make(path_);
    EXPECT_THAT(read(), ElementsAre(HasSubstr(unfit.word)));
    fs::remove(path_);
    EXPECT_THAT(read(), ElementsAre("")) << "over";
  }
  append("a\n");
  EXPECT_THAT(read(), ElementsAre("a"));
}

// Going back to the last commit finds it, too.
TEST_F(UnfitInputTest, IsToldWhereReadingHasToGoBack) {
  append("a\nb\n");
  start();
  ASSERT_TRUE(tail_->poll());  // not committed
  for (const Unfit& unfit : kUnfits) {
    fs::rename(path_, other("away"));
    unfit.make(path_);
    ASSERT_TRUE(tail_->seek(0, committed_));
    EXPECT_THAT(read(), ElementsAre(HasSubstr(unfit.word)));
    fs::remove(path_);
    fs::rename(other("away"), path_);
  }
  EXPECT_THAT(read(), ElementsAre("a", "b", ""));
  EXPECT_THAT(gaps_, IsEmpty());
}

// A client with many connections must not end the service at a rotation, nor make a gap of it.
TEST_F(UnfitInputTest, TooManyOpenFilesPass) {
  append("a\n");
  start();
  EXPECT_THAT(read(), ElementsAre("a"));
  append("b\n");
  fs::rename(path_, other("log.1"));
  append("c\n");
  std::vector<std::string> meanwhile;
  std::vector<std::string> after_going_back;
  {
    const NoFreeFiles none;
    meanwhile = read();
    ASSERT_TRUE(tail_->seek(0, committed_));
    after_going_back = read();
  }
  EXPECT_THAT(meanwhile, ElementsAre("b", HasSubstr("Too many open files")));
  EXPECT_THAT(after_going_back, IsEmpty()) << "told already";
  EXPECT_THAT(read(), ElementsAre("c", ""));
  EXPECT_THAT(gaps_, IsEmpty());
}

TEST_F(UnfitInputTest, AFileThatComesBackAfterItWasFinishedIsNotReadAgain) {
  append("a\nno end");
  start();
  EXPECT_THAT(read(), ElementsAre("a"));
  fs::rename(path_, other("log.1"));
  append("x");  // so that the first one is finished with; gone before it is begun
  ASSERT_TRUE(tail_->poll());
  fs::remove(path_);
  EXPECT_THAT(read(), ElementsAre("no end"));
  fs::rename(other("log.1"), path_);
  append("\nb\n");
  EXPECT_THAT(read(), ElementsAre("b"));
}

TEST_F(UnfitInputTest, AFifoIsReadWithoutWaitingAndWritersComeAndGo) {
  start();
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  EXPECT_THAT(read(), IsEmpty()) << "without a writer";
  for (int turn = 0; turn < 3; ++turn) {
    const int writer = open_writer();
    ASSERT_GE(writer, 0);
    EXPECT_THAT(read(), IsEmpty());
    write(writer, "a\nhal");
    EXPECT_THAT(read(), ElementsAre("a"));
    write(writer, "f\n");
    EXPECT_THAT(read(), ElementsAre("half"));
    ::close(writer);
    EXPECT_THAT(read(), IsEmpty());
  }
  start();
  const int writer = open_writer();
  write(writer, "b\nlast");
  EXPECT_THAT(read(), ElementsAre("b"));
  fs::remove(path_);
  append("from a file\n");
  EXPECT_THAT(read(), ElementsAre("last", "from a file"));
  ::close(writer);
  start();
  append("more\n");
  EXPECT_THAT(read(), ElementsAre("more"));
  EXPECT_THAT(gaps_, IsEmpty());
}

TEST_F(UnfitInputTest, WhatWasReadOfAFifoAndNotCommittedIsAGap) {
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  start();
  const int writer = open_writer();
  write(writer, "a\n");
  ASSERT_TRUE(tail_->poll());
  ASSERT_TRUE(tail_->seek(0, committed_));
  EXPECT_THAT(gaps_, ElementsAre(HasSubstr("a FIFO cannot be read again")));
  write(writer, "b\n");
  EXPECT_THAT(read(), ElementsAre("b"));
  ASSERT_TRUE(tail_->seek(0, committed_));
  EXPECT_THAT(gaps_, SizeIs(1)) << "all was committed";
  ::close(writer);
}

TEST_F(UnfitInputTest, AFifoInThePlaceOfAFileCountsAsEmpty) {
  append("a\n");
  start();
  EXPECT_THAT(read(), ElementsAre("a"));
  fs::rename(path_, other("log.1"));
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  append("b\n", "log.1");
  EXPECT_THAT(read(), ElementsAre("b"));
  fs::remove(path_);
  append("c\n");
  EXPECT_THAT(read(), ElementsAre("c"));
}

// The end of the old file is not taken for reached while a line of it is being read.
TEST_F(UnfitInputTest, ALongLineOfARotatedFileIsReadToItsEnd) {
  FileLimits limits = kLimits;
  limits.poll_bytes = 4096;
  append("a\n");
  start(limits);
  EXPECT_THAT(read(), ElementsAre("a"));
  append(std::string(50'000, 'x'));
  fs::rename(path_, other("log.1"));
  append("b\n");
  std::vector<std::uint64_t> lengths;
  for (int polls = 0; polls < 100 && lengths.size() < 2; ++polls) {
    const auto batch = tail_->poll();
    ASSERT_TRUE(batch);
    for (const Record& record : batch->single().records) lengths.push_back(record.truncated_from);
  }
  EXPECT_THAT(lengths, ElementsAre(50'000, 0));
}

}  // namespace
}  // namespace dwell
