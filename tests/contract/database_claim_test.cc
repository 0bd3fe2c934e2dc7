// One process writes a database, whatever the file is called, and only while it still is the file
// under that name.
#include <filesystem>
#include <fstream>
#include <functional>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include "sqlite/sqlite_committer.h"
#include "sqlite/sqlite_row_reader.h"
#include "tests/fakes/faulty_vfs.h"
#include "tests/fakes/one_partition.h"
#include "tests/fakes/temp_folder.h"

namespace dwell {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class DatabaseClaimTest : public testing::Test {
 protected:
  static Result<std::unique_ptr<SqliteCommitter>> open(const std::string& path) {
    return SqliteCommitter::open(path, Order::arrival, {});
  }
  // A writer of `path_`, restored.
  void start() {
    auto opened = open(path_);
    ASSERT_TRUE(opened) << opened.error().message;
    committer_ = std::move(*opened);
    ASSERT_TRUE(restore_one(*committer_, fold_));
  }
  void stop() {
    committer_.reset();
    fold_ = Fold(Rule{}, 1);
  }
  Result<void> commit(Offset next) {
    const std::vector<Position> positions = {{"script", next, ""}};
    return commit_one(*committer_, fold_.fold({}, positions), fold_);
  }
  // What restoring from `path` finds committed; -1: nothing.
  static Offset committed_in(const std::string& path) {
    auto committer = open(path);
    EXPECT_TRUE(committer) << committer.error().message;
    Fold fold(Rule{}, 1);
    const auto positions = restore_one(**committer, fold);
    EXPECT_TRUE(positions);
    return positions->empty() ? -1 : positions->front().next;
  }
  void expect_refused(const std::string& path, ErrorKind kind, const std::string& word) {
    const auto refused = open(path);
    ASSERT_FALSE(refused) << path;
    EXPECT_EQ(refused.error().kind, kind);
    EXPECT_THAT(refused.error().message, HasSubstr(word));
  }

  static fs::path make_folder(const std::string& path) {
    fs::create_directory(path);
    return fs::canonical(path);
  }

  TempFolder folder_;
  std::string path_ = make_folder(folder_.file("data")) / "dwell.db";
  std::string other_ = folder_.file("alias.db");
  Fold fold_{Rule{}, 1};
  FaultyVfs vfs_;
  std::unique_ptr<SqliteCommitter> committer_;
};

TEST_F(DatabaseClaimTest, AHardLinkIsNoSecondWriter) {
  start();
  fs::create_hard_link(path_, other_);
  expect_refused(other_, ErrorKind::retry_later, "under another name");
  EXPECT_TRUE(commit(1));
}

TEST_F(DatabaseClaimTest, ASymbolicLinkIsNoSecondWriter) {
  start();
  fs::create_symlink(path_, other_);
  expect_refused(other_, ErrorKind::retry_later, "locked by process");
  const auto second_link = folder_.file("alias2.db");
  fs::create_symlink("alias.db", second_link);
  expect_refused(second_link, ErrorKind::retry_later, "locked by process");
}

TEST_F(DatabaseClaimTest, ALinkToAFileThatIsNotThereMakesThatFile) {
  fs::create_symlink(path_, other_);
  const auto first = open(other_);
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_TRUE(fs::is_regular_file(path_));
  EXPECT_TRUE(fs::exists(path_ + ".lock"));
  expect_refused(path_, ErrorKind::retry_later, "locked by process");
}

TEST_F(DatabaseClaimTest, ASymbolicLinkGoesOnWhereTheFileIs) {
  start();
  ASSERT_TRUE(commit(7));
  stop();
  fs::create_symlink(path_, other_);
  EXPECT_EQ(committed_in(other_), 7);
}

TEST_F(DatabaseClaimTest, WhatIsNoFileIsRefused) {
  expect_refused(folder_.file("data"), ErrorKind::invalid, "is a folder");
  expect_refused("/dev/null", ErrorKind::invalid, "no regular file");
  fs::create_symlink("loop.db", folder_.file("loop.db"));
  expect_refused(folder_.file("loop.db"), ErrorKind::invalid, "loop.db");
}

// A killed writer leaves a log, which is found beside the name that was written alone. That name
// must be in the file itself by then.
TEST_F(DatabaseClaimTest, AnotherNameOfTheSameFileIsRefusedAlsoAfterAKill) {
  start();
  ASSERT_TRUE(commit(1));
  fs::copy_file(path_, folder_.file("file"));  // as a kill leaves them
  fs::copy_file(path_ + "-wal", folder_.file("log"));
  stop();
  fs::rename(folder_.file("file"), path_);
  fs::rename(folder_.file("log"), path_ + "-wal");
  fs::create_hard_link(path_, other_);
  expect_refused(other_, ErrorKind::invalid, path_);
  const auto reader = SqliteRowReader::open(other_);
  ASSERT_FALSE(reader) << "answers without what is in the log";
  EXPECT_THAT(reader.error().message, HasSubstr(path_));
  EXPECT_EQ(committed_in(path_), 1);
}

TEST_F(DatabaseClaimTest, ARenamedFileIsTakenAndItsOldNameIsForgotten) {
  start();
  ASSERT_TRUE(commit(3));
  stop();
  fs::rename(path_, other_);
  EXPECT_EQ(committed_in(other_), 3);
  fs::create_hard_link(other_, path_);
  expect_refused(path_, ErrorKind::invalid, other_);
}

TEST_F(DatabaseClaimTest, ACopyIsADatabaseOfItsOwn) {
  start();
  ASSERT_TRUE(commit(3));
  stop();
  fs::copy_file(path_, other_);
  EXPECT_EQ(committed_in(other_), 3);
  start();
  EXPECT_TRUE(commit(4));
  EXPECT_EQ(committed_in(other_), 3);
}

TEST_F(DatabaseClaimTest, AFileMovedWithoutItsLogIsRefused) {
  start();
  ASSERT_TRUE(commit(5));
  fs::copy_file(path_, other_);
  fs::copy_file(path_ + "-wal", folder_.file("log"));
  stop();
  fs::remove(path_);
  fs::rename(folder_.file("log"), path_ + "-wal");
  expect_refused(other_, ErrorKind::invalid, path_ + "-wal");
  fs::rename(path_ + "-wal", other_ + "-wal");
  EXPECT_EQ(committed_in(other_), 5);
}

// What may be done to the files of a running service; `undo` puts the same files back.
struct Mischief {
  std::string name;
  std::function<void(const std::string& path)> act;
  std::function<void(const std::string& path)> undo;  // empty: nobody can
};

void overwrite_by_rename(const std::string& path) {
  std::ofstream(path + ".new") << "another file";
  fs::rename(path + ".new", path);
}

const Mischief kMischiefs[] = {
    {"the file is removed", [](const std::string& p) { fs::remove(p); }, {}},
    {"the file is replaced", overwrite_by_rename, {}},
    {"the file is moved", [](const std::string& p) { fs::rename(p, p + ".away"); },
     [](const std::string& p) { fs::rename(p + ".away", p); }},
    {"the log is removed", [](const std::string& p) { fs::remove(p + "-wal"); }, {}},
    {"the log is replaced", [](const std::string& p) { overwrite_by_rename(p + "-wal"); }, {}},
    {"the log is moved", [](const std::string& p) { fs::rename(p + "-wal", p + "-away"); },
     [](const std::string& p) { fs::rename(p + "-away", p + "-wal"); }},
    {"the folder is moved",
     [](const std::string& p) {
       const auto folder = fs::path(p).parent_path();
       fs::rename(folder, folder.string() + "2");
     },
     [](const std::string& p) {
       const auto folder = fs::path(p).parent_path();
       fs::rename(folder.string() + "2", folder);
     }},
};

TEST_F(DatabaseClaimTest, NothingIsCommittedIntoAFileThatIsGone) {
  for (const Mischief& mischief : kMischiefs) {
    SCOPED_TRACE(mischief.name);
    fs::remove_all(fs::path(path_).parent_path());
    fs::create_directory(fs::path(path_).parent_path());
    start();
    ASSERT_TRUE(commit(1));
    mischief.act(path_);
    const auto lost = commit(2);
    ASSERT_FALSE(lost);
    EXPECT_EQ(lost.error().kind, ErrorKind::retry_later);
    EXPECT_THAT(lost.error().message, HasSubstr(path_));
    Partition idle{0, Fold(Rule{}, 1), {}, nullptr};
    EXPECT_FALSE(committer_->commit({&idle, 1})) << "noticed without anything to commit, too";
    if (mischief.undo) {
      mischief.undo(path_);
      EXPECT_TRUE(commit(2));
      stop();
      EXPECT_EQ(committed_in(path_), 2);
    }
    stop();
  }
}

// Its log is still open, and the last connection moves what is in it into the file.
TEST_F(DatabaseClaimTest, AStopSavesWhatWasInALogThatWasRemoved) {
  start();
  ASSERT_TRUE(commit(1));
  fs::remove(path_ + "-wal");
  ASSERT_FALSE(commit(2));
  stop();
  EXPECT_EQ(committed_in(path_), 1);
}

TEST_F(DatabaseClaimTest, ALockFileThatIsRemovedIsMadeAnew) {
  start();
  for (const bool is_replaced : {false, true}) {
    fs::remove(path_ + ".lock");
    if (is_replaced) std::ofstream(path_ + ".lock") << "process 1 (dwell, since 1970-01-01)\n";
    const auto told = commit(1);
    ASSERT_FALSE(told) << "told once";
    EXPECT_EQ(told.error().kind, ErrorKind::retry_later);
    EXPECT_TRUE(commit(1));
    expect_refused(path_, ErrorKind::retry_later, "locked by process");
  }
}

// What is no lock file of Dwell belongs to somebody.
const Mischief kNoLockFiles[] = {
    {"a link to the database",
     [](const std::string& p) { fs::create_symlink(p, p + ".lock"); },
     {}},
    {"a link to another file",
     [](const std::string& p) { fs::create_symlink("theirs", p + ".lock"); },
     {}},
    {"a link to nothing",
     [](const std::string& p) { fs::create_symlink("none", p + ".lock"); },
     {}},
    {"the database itself", [](const std::string& p) { fs::create_hard_link(p, p + ".lock"); }, {}},
    {"another name of a file",
     [](const std::string& p) {
       fs::create_hard_link(fs::path(p).parent_path() / "theirs", p + ".lock");
     },
     {}},
    {"another file",
     [](const std::string& p) { std::ofstream(p + ".lock") << "process of 1\n"; },
     {}},
    {"a long file",
     [](const std::string& p) {
       std::ofstream(p + ".lock") << "process 1 (x)\n" << std::string(4'000, 'x') << ")\n";
     },
     {}},
    {"a folder", [](const std::string& p) { fs::create_directory(p + ".lock"); }, {}},
    {"a FIFO",
     [](const std::string& p) { ASSERT_EQ(::mkfifo((p + ".lock").c_str(), 0600), 0); },
     {}},
};

std::string content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST_F(DatabaseClaimTest, WhatIsNoLockFileIsLeftAsItIs) {
  const std::string theirs = fs::path(path_).parent_path() / "theirs";
  for (const Mischief& mischief : kNoLockFiles) {
    for (const bool is_new : {true, false}) {
      SCOPED_TRACE(mischief.name + (is_new ? ", a new database" : ""));
      fs::remove_all(fs::path(path_).parent_path());
      fs::create_directory(fs::path(path_).parent_path());
      std::ofstream(path_) << "";
      if (!is_new) {
        start();
        stop();
        fs::remove(path_ + ".lock");
      }
      std::ofstream(theirs) << "theirs\n";
      mischief.act(path_);
      const bool is_file = fs::is_regular_file(path_ + ".lock");
      const auto lock = is_file ? content(path_ + ".lock") : "";
      const auto database = content(path_);
      expect_refused(path_, ErrorKind::invalid, path_ + ".lock: ");
      EXPECT_EQ(content(theirs), "theirs\n");
      EXPECT_EQ(content(path_), database);
      if (is_file) {
        EXPECT_EQ(content(path_ + ".lock"), lock);
      }
      EXPECT_FALSE(fs::exists(fs::path(path_).parent_path() / "none"));
    }
  }
}

TEST_F(DatabaseClaimTest, AnotherFileInThePlaceOfTheLockFileIsLeftUntilItIsMovedAway) {
  start();
  fs::remove(path_ + ".lock");
  std::ofstream(path_ + ".lock") << "theirs\n";
  for (int i = 0; i < 3; ++i) {
    const auto told = commit(1);
    ASSERT_FALSE(told);
    EXPECT_EQ(told.error().kind, ErrorKind::retry_later);
    EXPECT_THAT(told.error().message, HasSubstr("move it away"));
  }
  EXPECT_EQ(content(path_ + ".lock"), "theirs\n");
  fs::remove(path_ + ".lock");
  EXPECT_FALSE(commit(1)) << "told once";
  EXPECT_TRUE(commit(1));
}

// After a failed flush the connection is closed, and SQLite would make the file it does not find.
TEST_F(DatabaseClaimTest, GoingBackMakesNoFileInThePlaceOfOneThatIsGone) {
  SqliteCommitterOptions options;
  options.database.vfs = vfs_.name();
  auto committer = SqliteCommitter::open(path_, Order::arrival, options);
  ASSERT_TRUE(committer);
  committer_ = std::move(*committer);
  ASSERT_TRUE(restore_one(*committer_, fold_));
  vfs_.arm({SQLITE_IOERR_FSYNC, 1});
  const auto failed = commit(1);
  ASSERT_FALSE(failed);
  ASSERT_EQ(failed.error().kind, ErrorKind::unknown_outcome);
  fs::rename(path_, other_);
  Fold fold(Rule{}, 1);
  const auto refused = restore_one(*committer_, fold);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::retry_later);
  EXPECT_FALSE(fs::exists(path_));
  fs::rename(other_, path_);
  EXPECT_TRUE(restore_one(*committer_, fold));
}

}  // namespace
}  // namespace dwell
