// How a pool bears connections that break; the database is that of store_test.cc.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <gmock/gmock.h>
#include <optional>

#include "postgres/migrations.h"
#include "tests/postgres/test_database.h"

namespace dwell {
namespace {

namespace asio = boost::asio;
using ::testing::HasSubstr;

enum Statement : std::size_t { kOne, kFails };

class PgPoolTest : public ::testing::Test {
 protected:
  PgPoolTest() {
    auto database = connect();
    EXPECT_TRUE(migrate(*database));
    options_.database = test_database();
    options_.database.url += "?application_name=pool_test";
    options_.statements = {"SELECT 1", "SELECT 1/0"};
  }

  // Runs the pool until `work` has come to its end.
  template <typename T>
  T await(asio::awaitable<T> work) {
    std::optional<T> value;
    auto run = [&]() -> asio::awaitable<void> { value.emplace(co_await std::move(work)); };
    asio::co_spawn(context_, run(), asio::detached);
    while (!value) context_.run_one();
    return std::move(*value);
  }

  void await_end(asio::awaitable<void> work) {
    auto run = [&]() -> asio::awaitable<bool> {
      co_await std::move(work);
      co_return true;
    };
    (void)await(run());
  }

  // Ends the pool's connections at the server.
  static void cut() {
    ASSERT_TRUE(
        connect()->execute("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE "
                           "application_name = 'pool_test'"));
  }

  asio::io_context context_{1};
  const PgParameters none_;
  PgPoolOptions options_;
};

TEST_F(PgPoolTest, ATransactionThatWasCutTellsTheNextQuestionWhy) {
  PgPool pool(context_, options_);
  auto begun = await(pool.begin());
  ASSERT_TRUE(begun) << begun.error().message;
  EXPECT_TRUE(await((*begun)->run(kOne, none_)));
  cut();
  const auto first = await((*begun)->run(kOne, none_));
  ASSERT_FALSE(first);
  const auto second = await((*begun)->run(kOne, none_));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, ErrorKind::retry_later);
  EXPECT_THAT(second.error().message, HasSubstr(first.error().message));
  EXPECT_THAT(second.error().message, HasSubstr("begin another"));
  auto another = await(pool.begin());
  ASSERT_TRUE(another) << another.error().message;
  EXPECT_TRUE(await((*another)->run(kOne, none_)));
}

TEST_F(PgPoolTest, ATransactionWhoseStatementFailedTellsTheNextQuestionWhy) {
  options_.connections = 1;
  PgPool pool(context_, options_);
  auto begun = await(pool.begin());
  ASSERT_TRUE(begun) << begun.error().message;
  ASSERT_FALSE(await((*begun)->run(kFails, none_)));
  const auto second = await((*begun)->run(kOne, none_));
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().message, HasSubstr("division by zero"));
  EXPECT_THAT(second.error().message, HasSubstr("begin another"));
  begun->reset();  // its connection serves the next one
  auto another = await(pool.begin());
  ASSERT_TRUE(another) << another.error().message;
  EXPECT_TRUE(await((*another)->run(kOne, none_)));
}

// The pool's connections, as the server counts them.
std::int64_t backends() {
  const auto found = connect()->run(
      "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pool_test'", PgParameters());
  EXPECT_TRUE(found);
  return found->integer(0, 0);
}

TEST_F(PgPoolTest, OpensAllItsConnectionsAhead) {
  PgPool pool(context_, options_);
  EXPECT_EQ(pool.state().open, 0U);
  await_end(pool.open_all());
  EXPECT_EQ(pool.state().open, 8U);
  EXPECT_EQ(pool.state().idle, 8U);
  EXPECT_EQ(backends(), 8);
  await_end(pool.open_all());
  EXPECT_EQ(backends(), 8);
}

TEST_F(PgPoolTest, OpensAnewWhatWasCutWhileItRested) {
  PgPool pool(context_, options_);
  await_end(pool.open_all());
  cut();
  await_end(pool.open_all());
  EXPECT_EQ(pool.state().open, 8U);
  EXPECT_EQ(backends(), 8);
}

TEST_F(PgPoolTest, AQuestionDoesNotNoticeThatARestingConnectionWasCut) {
  PgPool pool(context_, options_);
  await_end(pool.open_all());
  cut();
  const auto answer = await(pool.run(kOne, none_));
  EXPECT_TRUE(answer) << answer.error().message;
  cut();
  await_end(pool.open_all());
  cut();
  const auto begun = await(pool.begin());
  EXPECT_TRUE(begun) << begun.error().message;
}

TEST_F(PgPoolTest, ATableThatChangedIsLookedAtAnew) {
  ASSERT_TRUE(connect()->execute("CREATE TABLE pool_test AS SELECT 1 AS n"));
  options_.statements = {"SELECT * FROM pool_test", "SELECT n FROM pool_test"};
  PgPool pool(context_, options_);
  await_end(pool.open_all());
  EXPECT_TRUE(await(pool.run(0, none_)));
  ASSERT_TRUE(connect()->execute("ALTER TABLE pool_test ALTER n TYPE text"));
  EXPECT_TRUE(await(pool.run(0, none_)));
  EXPECT_EQ(pool.state().open, 1U);  // the others have looked at the table as it was
  ASSERT_TRUE(connect()->execute("DROP TABLE pool_test"));
}

TEST_F(PgPoolTest, OpeningEndsWhereTheServerRefuses) {
  options_.database.session =
      "DO $$ BEGIN IF (SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pool_test') "
      "> 3 THEN RAISE EXCEPTION 'no more'; END IF; END $$";
  PgPool pool(context_, options_);
  await_end(pool.open_all());
  EXPECT_EQ(pool.state().open, 3U);
  EXPECT_THAT(pool.state().shortage, HasSubstr("no more"));
  EXPECT_TRUE(await(pool.run(kOne, none_)));
}

// One session behind all connections, for whoever was first.
TEST_F(PgPoolTest, OpeningEndsWhereTheServerDoesNotAnswer) {
  options_.database.session = "SELECT pg_advisory_lock(5062)";
  options_.database.statement_timeout = std::chrono::milliseconds(1'000);
  options_.opening = std::chrono::milliseconds(100);
  PgPool pool(context_, options_);
  EXPECT_TRUE(await(pool.run(kOne, none_)));
  await_end(pool.open_all());
  EXPECT_EQ(pool.state().open, 1U);
  EXPECT_EQ(pool.state().shortage, "");  // nothing was refused: it was not waited for
  EXPECT_TRUE(await(pool.run(kOne, none_)));
}

TEST_F(PgPoolTest, OpeningEndsWhereThereIsNoServer) {
  options_.database.url = "host=127.0.0.1 port=1";
  PgPool pool(context_, options_);
  await_end(pool.open_all());
  EXPECT_EQ(pool.state().open, 0U);
  EXPECT_NE(pool.state().shortage, "");
}

}  // namespace
}  // namespace dwell
