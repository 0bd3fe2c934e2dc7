// FileSource on what has no position: a pipe or a FIFO.
#include <fcntl.h>
#include <filesystem>
#include <future>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file/file_source.h"
#include "tests/fakes/small_files.h"

namespace dwell {
namespace {

class CountingClock final : public Clock {
 public:
  Timestamp wall() override { return from_ms(++readings_); }
  std::chrono::nanoseconds monotonic() override { return {}; }
  void sleep(Milliseconds, const std::stop_token&) override { FAIL() << "a source does not sleep"; }

 private:
  std::int64_t readings_ = 0;
};

class StreamSourceTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string folder = testing::TempDir() + "dwell_stream_XXXXXX";
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    folder_ = folder;
    ASSERT_EQ(mkfifo((folder_ / "fifo").c_str(), 0600), 0);
    // Open for both, so that opening the other end waits for nobody.
    writer_ = ::open((folder_ / "fifo").c_str(), O_RDWR | O_CLOEXEC);
    ASSERT_GE(writer_, 0);
  }
  void TearDown() override {
    close_writer();
    std::filesystem::remove_all(folder_);
  }

  void write(const std::string& text) const {
    ASSERT_EQ(::write(writer_, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  void close_writer() {
    if (writer_ >= 0) ::close(writer_);
    writer_ = -1;
  }

  std::unique_ptr<FileSource> open(const FileLimits& limits) {
    auto source = FileSource::open(folder_ / "fifo", limits, clock_);
    EXPECT_TRUE(source) << source.error().message;
    EXPECT_TRUE((*source)->seek(0, {}));
    return std::move(*source);
  }

  // The records of one batch; `is_last` on top.
  struct Polled {
    std::vector<std::string> lines;
    bool is_last;
  };
  static Polled poll(FileSource& source) {
    const auto batch = source.poll();
    EXPECT_TRUE(batch) << batch.error().message;
    Polled polled{{}, batch->is_last};
    for (const Record& record : batch->single().records) polled.lines.emplace_back(record.bytes);
    return polled;
  }

  // A batch that must come without another byte being written.
  Polled poll_at_once(FileSource& source) {
    auto polled = std::async(std::launch::async, [&] { return poll(source); });
    const bool came = polled.wait_for(std::chrono::seconds(10)) == std::future_status::ready;
    EXPECT_TRUE(came) << "waits for more although a line is there";
    if (!came) write("\n");
    return polled.get();
  }

  using Lines = std::vector<std::string>;

  CountingClock clock_;
  std::filesystem::path folder_;
  int writer_ = -1;
};

TEST_F(StreamSourceTest, GivesWhatIsThere) {
  const auto source = open(kSmall);
  EXPECT_FALSE(source->has_position());
  write("one\ntwo\nthr");
  EXPECT_EQ(poll(*source).lines, (Lines{"one", "two"}));
  write("ee\n");
  const auto polled = poll(*source);
  EXPECT_EQ(polled.lines, Lines{"three"});
  EXPECT_FALSE(polled.is_last);
}

TEST_F(StreamSourceTest, LinesInHandDoNotWaitForMore) {
  const auto source = open(kOneByOne);
  write("one\ntwo\nthree\n");
  EXPECT_EQ(poll(*source).lines, Lines{"one"});
  EXPECT_EQ(poll_at_once(*source).lines, Lines{"two"});
  EXPECT_EQ(poll_at_once(*source).lines, Lines{"three"});
}

TEST_F(StreamSourceTest, EndsWithItsWriter) {
  const auto source = open(kSmall);
  write("one\ntwo");
  close_writer();
  const auto first = poll(*source);
  const auto lines = first.is_last ? first : poll(*source);
  EXPECT_TRUE(lines.is_last);
  EXPECT_EQ(lines.lines.back(), "two");
}

TEST_F(StreamSourceTest, NowIsTakenAtEachPoll) {
  const auto source = open(kSmall);
  std::vector<Timestamp> nows;
  for (const std::string text : {"a\n", "b\n"}) {
    write(text);
    const auto batch = source->poll();
    ASSERT_TRUE(batch);
    ASSERT_EQ(batch->single().records.size(), 1u);
    nows.push_back(batch->single().records[0].now);
  }
  EXPECT_LT(nows[0], nows[1]);
}

TEST_F(StreamSourceTest, ALineOverTheLimitIsFollowedToItsEnd) {
  const auto source = open(kSmall);
  write(std::string(5000, 'x'));
  write("xx\nnext\n");
  Lines lines;
  while (lines.size() < 2) {
    const auto batch = source->poll();
    ASSERT_TRUE(batch);
    for (const Record& record : batch->single().records) {
      lines.emplace_back(record.bytes);
      EXPECT_EQ(record.truncated_from, lines.size() == 1 ? 5002u : 0u);
    }
  }
  EXPECT_EQ(lines, (Lines{std::string(1024, 'x'), "next"}));
}

TEST_F(StreamSourceTest, CannotGoBack) {
  const auto source = open(kSmall);
  EXPECT_TRUE(source->seek(0, {})) << "nothing was read yet";
  write("one\n");
  poll(*source);
  const auto sought = source->seek(0, {});
  ASSERT_FALSE(sought);
  EXPECT_EQ(sought.error().kind, ErrorKind::fatal);
}

TEST_F(StreamSourceTest, StartsAnewWhateverWasCommitted) {
  const auto first = open(kSmall);
  const std::vector<Position> committed{{first->name(), 700, "mark"}};
  const auto source = open(kSmall);
  ASSERT_TRUE(source->seek(0, committed));
  write("one\n");
  EXPECT_EQ(poll(*source).lines, Lines{"one"});
  EXPECT_EQ(source->next(), 4);
}

TEST_F(StreamSourceTest, ADashIsStandardInput) {
  const int stdin_before = ::dup(STDIN_FILENO);
  ::dup2(writer_, STDIN_FILENO);
  {
    auto source = FileSource::open("-", kSmall, clock_);
    ASSERT_TRUE(source);
    EXPECT_EQ((*source)->name(), "-");
    EXPECT_FALSE((*source)->has_position());
    write("one\n");
    EXPECT_EQ(poll(**source).lines, Lines{"one"});
  }
  EXPECT_GE(::fcntl(STDIN_FILENO, F_GETFD), 0) << "standard input is not the source's to close";
  ::dup2(stdin_before, STDIN_FILENO);
  ::close(stdin_before);
}

}  // namespace
}  // namespace dwell
