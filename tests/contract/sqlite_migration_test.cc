#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <unistd.h>

#include "sqlite/migrations.h"
#include "sqlite/sqlite_committer.h"
#include "sqlite/sqlite_row_reader.h"
#include "tests/fakes/one_partition.h"
#include "tests/fakes/temp_folder.h"

namespace dwell {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class SqliteMigration : public ::testing::Test {
 protected:
  std::unique_ptr<Database> open() {
    auto database = Database::open(path_, {});
    return database ? std::move(*database) : nullptr;
  }

  // Everything the layout consists of; SQLite's own tables are none of ours.
  static std::vector<std::string> schema(Database& database) {
    auto statement = database.prepare(
        "SELECT type || ' ' || name || ': ' || coalesce(sql, '') FROM sqlite_schema "
        "WHERE name NOT LIKE 'sqlite_%' ORDER BY 1");
    std::vector<std::string> lines;
    while (statement && statement->step().value()) lines.emplace_back(statement->bytes(0));
    return lines;
  }

  static std::int64_t pragma(Database& database, const char* name) {
    return database.query_integer(std::string("PRAGMA ") + name).value();
  }

  Result<std::unique_ptr<SqliteCommitter>> open_committer() {
    return SqliteCommitter::open(path_, Order::arrival, {});
  }

  TempFolder folder_;
  std::string path_ = folder_.file("dwell.db");
};

TEST_F(SqliteMigration, UpDownUpEndsWhereUpDid) {
  auto database = open();
  ASSERT_TRUE(migrate(*database));
  const auto up = schema(*database);
  EXPECT_THAT(up, Not(IsEmpty()));
  EXPECT_EQ(pragma(*database, "user_version"), static_cast<int>(sqlite_migrations().size()));

  const auto down = migrate(*database, 0);
  ASSERT_TRUE(down) << down.error().message;
  EXPECT_THAT(schema(*database), IsEmpty());
  EXPECT_EQ(pragma(*database, "user_version"), 0);

  const auto again = migrate(*database);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(schema(*database), up);
  EXPECT_TRUE(check_schema(*database));
}

TEST_F(SqliteMigration, RunningItTwiceChangesNothing) {
  auto database = open();
  ASSERT_TRUE(migrate(*database));
  const auto up = schema(*database);
  const auto version = pragma(*database, "schema_version");
  ASSERT_TRUE(migrate(*database));
  EXPECT_EQ(schema(*database), up);
  EXPECT_EQ(pragma(*database, "schema_version"), version);
}

TEST_F(SqliteMigration, TheViewShowsTheColumnsOfTheContract) {
  auto database = open();
  ASSERT_TRUE(migrate(*database));
  ASSERT_TRUE(database->execute(
      "INSERT INTO device VALUES (1, 'cam-1', x'00');"
      "INSERT INTO event (device, timestamp, type, seq) VALUES (1, 1000, 0, 1), (1, 2000, 1, 2)"));
  auto statement = database->prepare(
      "SELECT device_id || ' ' || event_type || ' ' || timestamp || ' ' || rank || ' ' || seq "
      "FROM device_events_cleaned ORDER BY timestamp");
  ASSERT_TRUE(statement);
  std::vector<std::string> lines;
  while (statement->step().value()) lines.emplace_back(statement->bytes(0));
  EXPECT_THAT(lines, ElementsAre("cam-1 device_enter 1000 0 1", "cam-1 device_exit 2000 0 2"));
}

TEST_F(SqliteMigration, ANewerLayoutIsRefused) {
  ASSERT_TRUE(open_committer());
  ASSERT_TRUE(open()->execute("PRAGMA user_version = 99"));
  const auto writer = open_committer();
  ASSERT_FALSE(writer);
  EXPECT_EQ(writer.error().kind, ErrorKind::invalid);
  EXPECT_THAT(writer.error().message, HasSubstr("newer release (layout 99"));
  const auto reader = SqliteRowReader::open(path_);
  ASSERT_FALSE(reader);
  EXPECT_EQ(reader.error().kind, ErrorKind::invalid);
}

TEST_F(SqliteMigration, ALayoutThatNoReleaseHasIsRefused) {
  ASSERT_TRUE(open_committer());
  for (const std::string version : {"-1", "-2147483648"}) {
    ASSERT_TRUE(open()->execute("PRAGMA user_version = " + version));
    const auto writer = open_committer();
    ASSERT_FALSE(writer);
    EXPECT_EQ(writer.error().kind, ErrorKind::invalid);
    EXPECT_THAT(writer.error().message, HasSubstr("layout " + version));
    const auto reader = SqliteRowReader::open(path_);
    ASSERT_FALSE(reader);
    EXPECT_EQ(reader.error().message, writer.error().message);
  }
}

TEST_F(SqliteMigration, AnotherProgramsDatabaseIsRefusedUntouched) {
  {
    auto foreign = open();
    ASSERT_TRUE(foreign->execute("CREATE TABLE event (id INTEGER)"));
  }
  const auto writer = open_committer();
  ASSERT_FALSE(writer);
  EXPECT_EQ(writer.error().kind, ErrorKind::invalid);
  EXPECT_THAT(writer.error().message, HasSubstr("another program"));
  EXPECT_FALSE(SqliteRowReader::open(path_));
  EXPECT_THAT(schema(*open()), ElementsAre("table event: CREATE TABLE event (id INTEGER)"));
}

TEST_F(SqliteMigration, AFileThatIsNoDatabaseIsRefusedUntouched) {
  const std::string text(5000, 'x');
  std::ofstream(path_) << text;
  const auto writer = open_committer();
  ASSERT_FALSE(writer);
  EXPECT_EQ(writer.error().kind, ErrorKind::invalid);
  EXPECT_THAT(writer.error().message, HasSubstr("name another file"));
  EXPECT_EQ(std::filesystem::file_size(path_), text.size());
}

TEST_F(SqliteMigration, AReaderAsksForAFileThatIsThereAndMigrated) {
  const auto missing = SqliteRowReader::open(path_);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, ErrorKind::not_found);
  EXPECT_FALSE(std::filesystem::exists(path_));

  open();
  const auto empty = SqliteRowReader::open(path_);
  ASSERT_FALSE(empty);
  EXPECT_EQ(empty.error().kind, ErrorKind::invalid);
}

TEST_F(SqliteMigration, ASecondWriterIsToldWhoIsFirst) {
  const auto first = open_committer();
  ASSERT_TRUE(first);
  const auto second = open_committer();
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().message, HasSubstr("process " + std::to_string(::getpid())));
}

TEST_F(SqliteMigration, ADamagedStateIsNamedAndNotRestored) {
  ASSERT_TRUE(open_committer());
  ASSERT_TRUE(open()->execute("INSERT INTO device VALUES (1, 'cam-1', x'01')"));
  auto committer = open_committer();
  ASSERT_TRUE(committer);
  Fold fold(Rule{}, 1);
  const auto restored = restore_one(**committer, fold);
  ASSERT_FALSE(restored);
  EXPECT_EQ(restored.error().kind, ErrorKind::fatal);
  EXPECT_THAT(restored.error().message, HasSubstr("cam-1"));
}

}  // namespace
}  // namespace dwell
