// What kill -9 cannot show: that the log is on the disk, and not just on its way, when commit()
// returns.
#include <gtest/gtest.h>

#include "sqlite/sqlite_committer.h"
#include "tests/contract/store_under_test.h"
#include "tests/fakes/faulty_vfs.h"
#include "tests/fakes/one_partition.h"
#include "tests/fakes/temp_folder.h"

namespace dwell {
namespace {

// How often the log was flushed after the last write to it; empty when it was not written to.
std::optional<std::size_t> flushes_of_the_log(const std::vector<FaultyVfs::Entry>& entries) {
  std::optional<std::size_t> flushes;
  for (const FaultyVfs::Entry& entry : entries) {
    if (entry.file != FaultyVfs::File::log) continue;
    if (entry.call == FaultyVfs::Call::write) {
      flushes = 0;
    } else if (flushes) {
      ++*flushes;
    }
  }
  return flushes;
}

TEST(SqliteDurability, TheLogIsFlushedBeforeEachCommitReturns) {
  const TempFolder folder;
  FaultyVfs vfs;
  SqliteCommitterOptions options;
  options.database.vfs = vfs.name();
  auto committer = SqliteCommitter::open(folder.file("dwell.db"), Order::arrival, options);
  ASSERT_TRUE(committer) << committer.error().message;
  Fold fold(Rule{}, 1);
  ASSERT_TRUE(restore_one(**committer, fold));

  const Script script = mixed_script();
  for (std::size_t i = 0; i < script.size(); ++i) {
    const auto records = records_of(script, i, 1);
    const std::vector<Position> next = {{"script", static_cast<Offset>(i + 1), ""}};
    const Unit& unit = fold.fold(records, next);
    vfs.clear_entries();
    ASSERT_TRUE(commit_one(**committer, unit, fold));
    EXPECT_GE(flushes_of_the_log(vfs.entries()).value_or(0), 1u) << "record " << i;
  }
}

TEST(SqliteDurability, ACommitWhoseFlushFailedIsNotAcknowledged) {
  const TempFolder folder;
  FaultyVfs vfs;
  SqliteCommitterOptions options;
  options.database.vfs = vfs.name();
  auto committer = SqliteCommitter::open(folder.file("dwell.db"), Order::arrival, options);
  ASSERT_TRUE(committer);
  Fold fold(Rule{}, 1);
  ASSERT_TRUE(restore_one(**committer, fold));
  vfs.arm({SQLITE_IOERR_FSYNC, 1});
  const std::vector<Position> next = {{"script", 1, ""}};
  const auto committed = commit_one(**committer, fold.fold({}, next), fold);
  ASSERT_FALSE(committed);
  EXPECT_EQ(committed.error().kind, ErrorKind::unknown_outcome);
}

}  // namespace
}  // namespace dwell
