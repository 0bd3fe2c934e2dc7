// What a failing disk does to opening, restoring and asking: an error is returned, nothing is made
// up, and the next call is answered as if nothing had been.
#include <functional>
#include <gmock/gmock.h>

#include "sqlite/sqlite_committer.h"
#include "sqlite/sqlite_report.h"
#include "sqlite/sqlite_row_reader.h"
#include "tests/contract/store_under_test.h"
#include "tests/fakes/faulty_vfs.h"
#include "tests/fakes/one_partition.h"
#include "tests/fakes/questions.h"
#include "tests/fakes/temp_folder.h"

namespace dwell {
namespace {

using ::testing::HasSubstr;

class SqliteFault : public ::testing::Test {
 protected:
  SqliteFault() {
    options_.database.vfs = vfs_.name();
    options_.database.cache_bytes = 0;  // as few pages kept as SQLite can, so that calls read
  }

  Result<std::unique_ptr<SqliteCommitter>> open_committer() {
    return SqliteCommitter::open(path_, Order::arrival, options_);
  }

  // Enough devices and rows for trees of more than one page.
  void fill() {
    Script script;
    for (int i = 0; i < 600; ++i) {
      const std::string device = "camera-in-the-corridor-" + std::to_string(i % 300);
      script.push_back(event_record(device, EventType::enter, 1'000 + i, 9'000));
      script.push_back(event_record(device, EventType::exit, 5'000 + i, 9'000));
      script.push_back(raw_record("garbage", 9'000));
    }
    auto committer = open_committer();
    ASSERT_TRUE(committer);
    Fold fold(Rule{}, 1);
    ASSERT_TRUE(restore_one(**committer, fold));
    const auto records = records_of(script, 0, script.size());
    const std::vector<Position> next = {{"script", static_cast<Offset>(script.size()), ""}};
    ASSERT_TRUE(commit_one(**committer, fold.fold(records, next), fold));
  }

  // Calls `ask` with every single read failing in turn. It says whether it succeeded and checks
  // its answer itself. Returns the number of reads that were failed.
  std::size_t fail_every_read(const std::function<bool()>& ask) {
    for (std::size_t at = 1;; ++at) {
      vfs_.arm({SQLITE_IOERR_READ, at});
      ask();
      vfs_.disarm();
      EXPECT_TRUE(ask()) << "after a failure of read " << at;
      if (!vfs_.was_reached() || HasFailure()) return at - 1;
    }
  }

  TempFolder folder_;
  std::string path_ = folder_.file("dwell.db");
  FaultyVfs vfs_;
  SqliteCommitterOptions options_;
};

TEST_F(SqliteFault, OpeningANewFileFailsWholeOrWorks) {
  for (const int code : {SQLITE_FULL, SQLITE_IOERR_WRITE, SQLITE_IOERR_FSYNC, SQLITE_IOERR_READ}) {
    for (std::size_t at = 1;; ++at) {
      path_ = folder_.file(std::to_string(code) + "-" + std::to_string(at) + ".db");
      vfs_.arm({code, at});
      (void)open_committer().has_value();
      vfs_.disarm();
      auto committer = open_committer();
      ASSERT_TRUE(committer) << committer.error().message << " after error " << code << " at "
                             << at;
      Fold fold(Rule{}, 1);
      EXPECT_TRUE(restore_one(**committer, fold));
      if (!vfs_.was_reached()) break;
      ASSERT_LT(at, 1'000u);
    }
  }
}

TEST_F(SqliteFault, AFullDiskIsWorthARetryAndSaysWhatToDo) {
  auto committer = open_committer();
  ASSERT_TRUE(committer);
  Fold fold(Rule{}, 1);
  ASSERT_TRUE(restore_one(**committer, fold));
  const std::vector<Position> next = {{"script", 1, ""}};
  const Unit& unit = fold.fold({}, next);
  vfs_.arm({SQLITE_FULL, 1});
  const auto committed = commit_one(**committer, unit, fold);
  ASSERT_FALSE(committed);
  EXPECT_EQ(committed.error().kind, ErrorKind::retry_later);
  EXPECT_THAT(committed.error().message, HasSubstr("free some disk space"));
  EXPECT_THAT(committed.error().message, HasSubstr(path_));
  EXPECT_TRUE(commit_one(**committer, unit, fold));
}

TEST_F(SqliteFault, ATransactionLeftBehindIsRolledBack) {
  auto opened = Database::open(path_, options_.database);
  ASSERT_TRUE(opened);
  Database& database = **opened;
  ASSERT_TRUE(database.execute("CREATE TABLE number (n INTEGER PRIMARY KEY)"));
  {
    auto transaction = Transaction::begin(database);
    ASSERT_TRUE(transaction);
    ASSERT_TRUE(database.execute("INSERT INTO number VALUES (1)"));
    EXPECT_FALSE(database.execute("INSERT INTO number VALUES (1)"));
  }
  auto transaction = Transaction::begin(database);
  ASSERT_TRUE(transaction) << transaction.error().message;
  EXPECT_EQ(database.query_integer("SELECT count(*) FROM number").value(), 0);
}

TEST_F(SqliteFault, RestoreGivesEverythingOrAnError) {
  fill();
  auto committer = open_committer();
  ASSERT_TRUE(committer);
  const std::size_t reads = fail_every_read([&] {
    Fold fold(Rule{}, 1);
    const auto positions = restore_one(**committer, fold);
    if (!positions) {
      EXPECT_EQ(positions.error().kind, ErrorKind::fatal);
      return false;
    }
    EXPECT_EQ(fold.device_count(), 300u);
    EXPECT_EQ(fold.totals().records(), 1'800u);
    EXPECT_EQ(positions->at(0).next, 1'800);
    return true;
  });
  EXPECT_GT(reads, 3u);
}

// False for an error; an answer must have all of its `size` elements.
template <typename T>
bool is_whole(const Result<std::vector<T>>& answer, std::size_t size) {
  EXPECT_TRUE(!answer || answer->size() == size);
  return answer.has_value();
}

TEST_F(SqliteFault, AReaderAnswersWhollyOrWithAnErrorAndGoesOn) {
  fill();
  auto reader = SqliteRowReader::open(path_, options_.database);
  ASSERT_TRUE(reader);
  auto report = SqliteReport::open(path_, options_.database);
  ASSERT_TRUE(report);
  boost::asio::io_context context(1);
  Questions answers(context, **reader);
  const auto presence = [&] {
    const auto page = answers.presence({.at = from_ms(4'999)});
    EXPECT_TRUE(!page || page->inside.size() == 300);
    return page.has_value();
  };
  const auto timeline = [&] {
    return is_whole(answers.timeline({.device = "camera-in-the-corridor-7"}), 4);
  };
  const auto rejected = [&] { return is_whole((*report)->rejected({.limit = kLargestPage}), 600); };
  const auto totals = [&] {
    const auto answer = (*report)->totals();
    EXPECT_TRUE(!answer || answer->totals.records() == 1'800u);
    return answer.has_value();
  };
  EXPECT_GT(fail_every_read(presence), 3u);
  EXPECT_GT(fail_every_read(timeline), 1u);
  EXPECT_GT(fail_every_read(rejected), 3u);
  EXPECT_GT(fail_every_read(totals), 1u);
}

}  // namespace
}  // namespace dwell
