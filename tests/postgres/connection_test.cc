// How a connection bears a server that does not answer; the database is that of store_test.cc.
#include <gmock/gmock.h>

#include "tests/postgres/test_database.h"

namespace dwell {
namespace {

using ::testing::HasSubstr;

// The server may think for longer than the client has patience.
std::unique_ptr<PgConnection> impatient() {
  PgOptions options = test_database();
  options.statement_timeout = std::chrono::milliseconds(100);
  options.silence = std::chrono::milliseconds(100);
  options.session = "SET statement_timeout = 0";
  auto connection = PgConnection::open(options);
  EXPECT_TRUE(connection) << connection.error().message;
  return std::move(*connection);
}

TEST(PgConnection, GivesASilentServerUp) {
  const auto connection = impatient();
  ASSERT_TRUE(connection->execute("BEGIN"));
  const auto answer = connection->execute("SELECT pg_sleep(3)");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, ErrorKind::retry_later);
  EXPECT_THAT(answer.error().message, HasSubstr("no answer within 200 ms"));
  EXPECT_FALSE(connection->is_open());
  // Nothing is asked of it any more; whether it has committed, nobody knows.
  const auto committed = connection->commit();
  ASSERT_FALSE(committed);
  EXPECT_EQ(committed.error().kind, ErrorKind::unknown_outcome);
}

TEST(PgConnection, WaitsForALongTransaction) {
  const auto connection = impatient();
  ASSERT_TRUE(connection->begin_long());
  EXPECT_TRUE(connection->execute("SELECT pg_sleep(0.4)"));
  EXPECT_TRUE(connection->commit());
  ASSERT_TRUE(connection->begin_long());
  connection->roll_back();
  EXPECT_FALSE(connection->execute("SELECT pg_sleep(3)"));
}

TEST(PgConnection, CountsWhatATableHasTaken) {
  const auto connection = connect();
  ASSERT_TRUE(connection->execute("CREATE TEMP TABLE taken (n text)"));
  ASSERT_TRUE(connection->begin_copy("COPY taken FROM STDIN"));
  std::string much(1 << 20, 'x');
  much += '\n';
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(connection->put_copy(much));  // more than a socket holds
  const auto taken = connection->end_copy();
  ASSERT_TRUE(taken) << taken.error().message;
  EXPECT_EQ(*taken, 20);
  // A failure in the middle is told at the end, and the connection may be used on.
  ASSERT_TRUE(connection->begin_copy("COPY taken FROM STDIN"));
  ASSERT_TRUE(connection->put_copy("one\ttwo\n"));
  const auto refused = connection->end_copy();
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("extra data"));
  EXPECT_TRUE(connection->execute("SELECT 1"));
}

}  // namespace
}  // namespace dwell
