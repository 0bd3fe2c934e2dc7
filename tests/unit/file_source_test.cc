#include "file/file_source.h"

#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/fakes/no_free_files.h"
#include "tests/fakes/small_files.h"

namespace dwell {
namespace {

// A clock that stands still until told otherwise.
class StillClock final : public Clock {
 public:
  explicit StillClock(std::int64_t ms) : now_(from_ms(ms)) {}
  void set(std::int64_t ms) { now_ = from_ms(ms); }

  Timestamp wall() override { return now_; }
  std::chrono::nanoseconds monotonic() override { return now_.time_since_epoch(); }
  void sleep(Milliseconds, const std::stop_token&) override { FAIL() << "a source does not sleep"; }

 private:
  Timestamp now_;
};

// A record that owns its bytes.
struct Line {
  std::string bytes;
  Offset offset;
  std::uint64_t truncated_from = 0;

  friend bool operator==(const Line&, const Line&) = default;
};

std::ostream& operator<<(std::ostream& out, const Line& line) {
  return out << line.offset << ":" << line.bytes.substr(0, 20) << "(" << line.bytes.size() << " of "
             << line.truncated_from << ")";
}

class FileSourceTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string folder = testing::TempDir() + "dwell_file_XXXXXX";
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    folder_ = std::filesystem::canonical(folder);
    path_ = folder_ / "input.ndjson";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void write(std::string_view text) const {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << text;
  }
  void append(std::string_view text) const {
    std::ofstream(path_, std::ios::binary | std::ios::app) << text;
  }

  std::unique_ptr<FileSource> open(const FileLimits& limits = kSmall) {
    auto source = FileSource::open(path_, limits, clock_);
    EXPECT_TRUE(source) << source.error().message;
    return std::move(*source);
  }

  // Opens the file and goes to what was committed.
  std::unique_ptr<FileSource> resume(const std::vector<Position>& committed,
                                     const FileLimits& limits = kSmall) {
    auto source = open(limits);
    const auto sought = source->seek(0, committed);
    EXPECT_TRUE(sought) << sought.error().message;
    return source;
  }

  Error refusal(const std::vector<Position>& committed) {
    const auto sought = open()->seek(0, committed);
    EXPECT_FALSE(sought);
    return sought ? Error{ErrorKind::not_found, ""} : sought.error();
  }

  // One batch; its records, and the position after it, if it moved.
  struct Polled {
    std::vector<Line> lines;
    std::vector<std::int64_t> nows;
    std::vector<Position> positions;
    bool is_last;
  };

  static Polled poll(FileSource& source) {
    const auto batch = source.poll();
    EXPECT_TRUE(batch) << batch.error().message;
    Polled polled{{},
                  {},
                  {batch->single().positions.begin(), batch->single().positions.end()},
                  batch->is_last};
    for (const Record& record : batch->single().records) {
      EXPECT_EQ(record.source, 0u);
      polled.lines.push_back({std::string(record.bytes), record.offset, record.truncated_from});
      polled.nows.push_back(to_ms(record.now));
    }
    return polled;
  }

  // Everything to the end, as one batch.
  static Polled rest(FileSource& source) {
    Polled all{{}, {}, {}, false};
    while (!all.is_last) {
      const auto next = poll(source);
      all.lines.insert(all.lines.end(), next.lines.begin(), next.lines.end());
      all.nows.insert(all.nows.end(), next.nows.begin(), next.nows.end());
      if (!next.positions.empty()) all.positions = next.positions;
      all.is_last = next.is_last;
    }
    return all;
  }

  std::vector<Line> lines_of(const std::string& text, const FileLimits& limits = kSmall) {
    write(text);
    return rest(*resume({}, limits)).lines;
  }

  StillClock clock_{1000};
  std::filesystem::path folder_;
  std::string path_;
};

// The lines of a text, cut without any buffer.
std::vector<Line> expected_lines(const std::string& text, std::size_t record_bytes) {
  std::vector<Line> lines;
  std::size_t start = 0;
  while (start < text.size()) {
    const auto end = std::min(text.find('\n', start), text.size());
    const auto line = text.substr(start, end - start);
    const auto offset = static_cast<Offset>(start);
    if (line.size() > record_bytes) {
      lines.push_back({line.substr(0, record_bytes), offset, line.size()});
    } else if (line.find_first_not_of(" \t\r") != std::string::npos) {
      lines.push_back({line, offset});
    }
    start = end + 1;
  }
  return lines;
}

TEST_F(FileSourceTest, ALineIsARecord) {
  EXPECT_EQ(lines_of("one\ntwo\n"), (std::vector<Line>{{"one", 0}, {"two", 4}}));
}

TEST_F(FileSourceTest, TheLastLineNeedsNoNewline) {
  EXPECT_EQ(lines_of("one\ntwo"), (std::vector<Line>{{"one", 0}, {"two", 4}}));
}

TEST_F(FileSourceTest, BlankLinesAreNoRecords) {
  EXPECT_EQ(lines_of("\n\n \none\n\t\r\n\r\n\ntwo\n  "),
            (std::vector<Line>{{"one", 4}, {"two", 14}}));
  EXPECT_EQ(lines_of("\n \n"), std::vector<Line>());
}

TEST_F(FileSourceTest, ACarriageReturnStaysWithItsLine) {
  EXPECT_EQ(lines_of("one\r\ntwo\r\n"), (std::vector<Line>{{"one\r", 0}, {"two\r", 5}}));
}

TEST_F(FileSourceTest, OtherBytesAreLeftAlone) {
  const std::string line("\0\xff\v\x01\f", 5);
  EXPECT_EQ(lines_of(line + "\n{}\n"), (std::vector<Line>{{line, 0}, {"{}", 6}}));
}

TEST_F(FileSourceTest, AnEmptyFileIsAtItsEndAtOnce) {
  write("");
  const auto source = resume({});
  const auto polled = poll(*source);
  EXPECT_TRUE(polled.lines.empty());
  EXPECT_TRUE(polled.positions.empty());
  EXPECT_TRUE(polled.is_last);
  EXPECT_EQ(source->size(), 0u);
}

TEST_F(FileSourceTest, BlankLinesMoveThePosition) {
  write("\n\n\n");
  const auto polled = poll(*resume({}));
  EXPECT_TRUE(polled.lines.empty());
  ASSERT_EQ(polled.positions.size(), 1u);
  EXPECT_EQ(polled.positions[0].next, 3);
}

TEST_F(FileSourceTest, LinesOfEveryLengthComeThroughEveryBuffer) {
  for (const bool ends_with_newline : {true, false}) {
    for (const std::size_t around : {1024u, 2048u, 3072u, 4096u, 6144u}) {
      for (std::size_t length = around - 3; length <= around + 3; ++length) {
        SCOPED_TRACE(fmt::format("{} bytes, newline {}", length, ends_with_newline));
        const auto text = fmt::format("before\n{}\nshort\n{}{}", std::string(length, 'x'),
                                      std::string(length, 'y'), ends_with_newline ? "\n" : "");
        ASSERT_EQ(lines_of(text), expected_lines(text, 1024));
        ASSERT_EQ(lines_of(text, kOneByOne), expected_lines(text, 1024));
        const auto alone = text.substr(text.find('y'));
        ASSERT_EQ(lines_of(alone), expected_lines(alone, 1024));
      }
    }
  }
}

TEST_F(FileSourceTest, ALineAsLongAsTheLimitIsWhole) {
  const auto lines = lines_of(std::string(1024, 'x') + "\n" + std::string(1025, 'y') + "\n");
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0], (Line{std::string(1024, 'x'), 0, 0}));
  EXPECT_EQ(lines[1], (Line{std::string(1024, 'y'), 1025, 1025}));
}

TEST_F(FileSourceTest, LongLinesInARowAreToldApart) {
  const auto text = std::string(5000, 'x') + "\n" + std::string(7000, 'y') + "\n" +
                    std::string(3000, ' ') + "\nlast";
  EXPECT_EQ(lines_of(text), expected_lines(text, 1024));
}

TEST_F(FileSourceTest, ThePositionWaitsForTheEndOfALongLine) {
  write(fmt::format("a\n{}\nb\n", std::string(10'000, 'x')));
  const auto source = resume({});
  EXPECT_EQ(poll(*source).positions.at(0).next, 2);
  auto polled = poll(*source);
  while (polled.lines.empty()) {
    EXPECT_TRUE(polled.positions.empty());
    EXPECT_EQ(source->next(), 2);
    polled = poll(*source);
  }
  EXPECT_EQ(polled.lines[0].truncated_from, 10'000u);
}

TEST_F(FileSourceTest, ABatchIsBoundedByRecords) {
  write("a\nb\nc\nd\ne");
  auto limits = kSmall;
  limits.batch_records = 2;
  const auto source = resume({}, limits);
  EXPECT_EQ(poll(*source).lines, (std::vector<Line>{{"a", 0}, {"b", 2}}));
  const auto second = poll(*source);
  EXPECT_EQ(second.lines, (std::vector<Line>{{"c", 4}, {"d", 6}}));
  EXPECT_FALSE(second.is_last);
  const auto third = poll(*source);
  EXPECT_EQ(third.lines, (std::vector<Line>{{"e", 8}}));
  EXPECT_TRUE(third.is_last);
}

TEST_F(FileSourceTest, ABatchIsBoundedByBytes) {
  std::string text;
  for (int i = 0; i < 30; ++i) text += std::string(199, 'a') + "\n";
  write(text);
  const auto source = resume({});
  const auto first = poll(*source);
  EXPECT_EQ(first.lines.size(), 10u);
  EXPECT_EQ(first.positions.at(0).next, 2000);
  EXPECT_EQ(rest(*source).lines.size(), 20u);
}

TEST_F(FileSourceTest, GoesOnFromEveryPosition) {
  std::string text;
  for (int i = 0; i < 40; ++i) text += std::string(1 + i * 37 % 1500, 'a') + "\n";
  const auto whole = lines_of(text);
  const auto source = resume({}, kOneByOne);
  std::vector<Line> before;
  for (bool is_last = false; !is_last;) {
    const auto polled = poll(*source);
    before.insert(before.end(), polled.lines.begin(), polled.lines.end());
    is_last = polled.is_last;
    if (polled.positions.empty()) continue;
    auto all = before;
    const auto after = rest(*resume(polled.positions)).lines;
    all.insert(all.end(), after.begin(), after.end());
    ASSERT_EQ(all, whole) << "resumed at " << polled.positions[0].next;
  }
}

TEST_F(FileSourceTest, SeeksBackToACommittedPosition) {
  write("a\nb\nc\n");
  const auto source = resume({}, kOneByOne);
  const auto first = poll(*source);
  poll(*source);
  ASSERT_TRUE(source->seek(0, first.positions));
  EXPECT_EQ(rest(*source).lines, (std::vector<Line>{{"b", 2}, {"c", 4}}));
  ASSERT_TRUE(source->seek(0, {}));
  EXPECT_EQ(rest(*source).lines.size(), 3u);
}

TEST_F(FileSourceTest, SeeksFromBehindALongLine) {
  write(fmt::format("a\n{}\nb\n", std::string(10'000, 'x')));
  const auto source = resume({});
  const auto first = poll(*source);
  EXPECT_EQ(poll(*source).lines.size(), 2u) << "the long line is followed to its end at once";
  ASSERT_TRUE(source->seek(0, {}));
  EXPECT_EQ(rest(*source).lines.size(), 3u);
  ASSERT_TRUE(source->seek(0, first.positions));
  EXPECT_EQ(rest(*source).lines.size(), 2u);
}

TEST_F(FileSourceTest, AtTheEndThereIsNothingMore) {
  write("a\nb");
  const auto read = rest(*resume({}));
  const auto polled = poll(*resume(read.positions));
  EXPECT_TRUE(polled.lines.empty());
  EXPECT_TRUE(polled.positions.empty());
  EXPECT_TRUE(polled.is_last);
}

TEST_F(FileSourceTest, APositionOfAnotherFileIsNotIts) {
  write("a\nb\n");
  auto positions = rest(*resume({})).positions;
  positions[0].source += ".old";
  EXPECT_EQ(rest(*resume(positions)).lines.size(), 2u);
}

TEST_F(FileSourceTest, IsNamedByItsAbsolutePath) {
  write("a\n");
  std::filesystem::create_symlink(path_, folder_ / "link");
  const auto source = FileSource::open(folder_ / "." / "link", kSmall, clock_);
  ASSERT_TRUE(source);
  EXPECT_EQ((*source)->name(), path_);
  EXPECT_TRUE((*source)->has_position());
}

TEST_F(FileSourceTest, AShorterFileIsRefused) {
  write("a\nb\nc\n");
  const auto positions = rest(*resume({})).positions;
  write("a\nb\n");
  const auto error = refusal(positions);
  EXPECT_EQ(error.kind, ErrorKind::invalid);
  EXPECT_NE(error.message.find(path_), std::string::npos) << error.message;
  EXPECT_NE(error.message.find("has 4 bytes, but 6 were read"), std::string::npos) << error.message;
}

TEST_F(FileSourceTest, AnotherFileIsRefused) {
  write("a\nb\nc\n");
  const auto positions = rest(*resume({})).positions;
  write("a\nB\nc\nd\n");
  const auto error = refusal(positions);
  EXPECT_EQ(error.kind, ErrorKind::invalid);
  EXPECT_NE(error.message.find("first 6 bytes differ"), std::string::npos) << error.message;
}

TEST_F(FileSourceTest, TheIdentityIsTheCommittedBytesUpTo4096) {
  write("a\nb\nc\n");
  const auto early = poll(*resume({}, kOneByOne)).positions;
  write("a\nX\nc\n");
  EXPECT_EQ(rest(*resume(early)).lines.size(), 2u) << "only the first line was read";

  const auto text = std::string(1000, 'a') + "\n" + std::string(1000, 'b') + "\n" +
                    std::string(1000, 'c') + "\n" + std::string(1000, 'd') + "\n" +
                    std::string(1000, 'e') + "\n";
  write(text);
  const auto positions = rest(*resume({})).positions;
  auto changed = text;
  changed[4096] = 'X';
  write(changed);
  EXPECT_TRUE(open()->seek(0, positions)) << "byte 4096 is not looked at";
  changed = text;
  changed[4095] = 'X';
  write(changed);
  EXPECT_NE(refusal(positions).message.find("first 4096 bytes differ"), std::string::npos);
}

TEST_F(FileSourceTest, ADamagedMarkIsFatal) {
  write("a\nb\n");
  const auto positions = rest(*resume({})).positions;
  const auto& mark = positions[0].mark;
  auto other_version = mark;
  ++other_version[0];
  std::vector<std::string> damaged = {mark + "x", other_version};
  for (std::size_t length = 0; length < mark.size(); ++length) {
    damaged.push_back(mark.substr(0, length));
  }
  for (const auto& bytes : damaged) {
    auto broken = positions;
    broken[0].mark = bytes;
    EXPECT_EQ(refusal(broken).kind, ErrorKind::fatal) << testing::PrintToString(bytes);
  }
}

TEST_F(FileSourceTest, NowIsTakenOnceAndKeptOnResume) {
  write("a\nb\nc\n");
  const auto source = resume({}, kOneByOne);
  const auto first = poll(*source);
  EXPECT_EQ(first.nows, std::vector<std::int64_t>{1000});
  clock_.set(2000);
  EXPECT_EQ(poll(*source).nows, std::vector<std::int64_t>{1000});
  clock_.set(3000);
  EXPECT_EQ(rest(*resume(first.positions)).nows, (std::vector<std::int64_t>{1000, 1000}));
}

TEST_F(FileSourceTest, AppendedLinesGetANewNow) {
  write("a\nb\n");
  const auto first = poll(*resume({}, kOneByOne));
  append("c\nd\n");
  clock_.set(2000);
  const auto second = rest(*resume(first.positions));
  EXPECT_EQ(second.nows, (std::vector<std::int64_t>{1000, 2000, 2000}));
  clock_.set(3000);
  append("e\n");
  EXPECT_EQ(rest(*resume(second.positions)).nows, std::vector<std::int64_t>{3000});
}

TEST_F(FileSourceTest, LinesAppendedWhileReadingGetANewNow) {
  write("a\n");
  const auto source = resume({}, kOneByOne);
  append("b\nc\n");
  clock_.set(2000);
  EXPECT_EQ(poll(*source).nows, std::vector<std::int64_t>{1000});
  const auto second = poll(*source);
  EXPECT_EQ(second.nows, std::vector<std::int64_t>{2000});
  clock_.set(3000);
  EXPECT_EQ(rest(*resume(second.positions)).nows, std::vector<std::int64_t>{2000})
      << "the second reading is kept as well";
}

TEST_F(FileSourceTest, AFolderOrNothingCannotBeRead) {
  const auto folder = FileSource::open(folder_, kSmall, clock_);
  ASSERT_FALSE(folder);
  EXPECT_EQ(folder.error().kind, ErrorKind::invalid);
  const auto missing = FileSource::open(path_, kSmall, clock_);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, ErrorKind::not_found);
  EXPECT_NE(missing.error().message.find(path_), std::string::npos);
}

// Whoever polls has others to look after, and no line is so long that they wait for its end.
TEST_F(FileSourceTest, ALineWithoutEndIsReadInBoundedPieces) {
  FileLimits limits = kSmall;
  limits.poll_bytes = 8192;
  write("one\n" + std::string(100'000, 'x') + "\ntwo\n");
  const auto source = resume({}, limits);
  EXPECT_EQ(poll(*source).lines, (std::vector<Line>{{"one", 0}}));
  std::size_t pieces = 0;
  for (std::uint64_t before = source->read_to();; before = source->read_to(), ++pieces) {
    const auto polled = poll(*source);
    EXPECT_LE(source->read_to() - before, 8192u + 2048u);
    if (!source->is_within_line()) {
      EXPECT_EQ(polled.lines,
                (std::vector<Line>{{std::string(1024, 'x'), 4, 100'000}, {"two", 100'005}}));
      break;
    }
    EXPECT_TRUE(polled.lines.empty());
    EXPECT_TRUE(polled.positions.empty()) << "the position moves with whole lines alone";
    EXPECT_FALSE(polled.is_last);
  }
  EXPECT_GE(pieces, 10u);
}

TEST_F(FileSourceTest, WhatCannotBeFollowedIsRefused) {
  ::mkfifo(path_.c_str(), 0600);
  EXPECT_TRUE(FileSource::open(path_, kSmall, clock_, Reading::follow)) << "without a writer";
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  const auto socket_path = std::string(folder_ / "socket");
  socket_path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
  ASSERT_EQ(::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  for (const std::string& path : {socket_path, std::string("/dev/zero"), std::string("/dev/null"),
                                  std::string("/proc/uptime"), std::string(folder_)}) {
    const auto source = FileSource::open(path, kSmall, clock_, Reading::follow);
    ASSERT_FALSE(source) << path;
    EXPECT_EQ(source.error().kind, ErrorKind::invalid);
    EXPECT_NE(source.error().message.find(path), std::string::npos);
  }
  ::close(socket);
}

TEST_F(FileSourceTest, TooManyOpenFilesMayPass) {
  write("one\n");
  const auto source = [this] {
    const NoFreeFiles none;
    return FileSource::open(path_, kSmall, clock_);
  }();
  ASSERT_FALSE(source);
  EXPECT_EQ(source.error().kind, ErrorKind::retry_later);
}

}  // namespace
}  // namespace dwell
