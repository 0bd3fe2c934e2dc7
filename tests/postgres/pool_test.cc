// The pool opens connections ahead of questions, and bears a transaction that broke. The database
// is that of store_test.cc.
#include "postgres/pool.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <gmock/gmock.h>

#include "postgres/migrations.h"
#include "tests/postgres/test_database.h"

namespace dwell {
namespace {

namespace asio = boost::asio;
using ::testing::HasSubstr;

constexpr std::size_t kEnd = 0;  // statements
constexpr std::size_t kOne = 1;

class PgPoolTest : public ::testing::Test {
 protected:
  PgPoolTest() { EXPECT_TRUE(migrate(*connect())); }

  PgPoolOptions options(std::size_t connections) const {
    PgPoolOptions options;
    options.database = test_database();
    options.statements = {"SELECT pg_terminate_backend(pg_backend_pid())", "SELECT 1"};
    options.connections = connections;
    return options;
  }

  // Runs the context until `work` is done.
  template <typename Work>
  void run(Work work) {
    auto done = asio::co_spawn(context_, std::move(work), asio::use_future);
    context_.restart();
    while (done.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
      context_.run_one();
    }
    done.get();
  }

  asio::io_context context_;
};

TEST_F(PgPoolTest, WarmedUpItHasAllConnections) {
  const std::size_t connections = std::min<std::size_t>(3, test_connections());
  PgPool pool(context_, options(connections));
  EXPECT_EQ(pool.state().open, 0u);
  run([&]() -> asio::awaitable<void> { co_await pool.warm_up(); });
  EXPECT_EQ(pool.state().open, connections);
  EXPECT_EQ(pool.state().idle, connections);
  run([&]() -> asio::awaitable<void> { co_await pool.warm_up(); });  // nothing is left to do
  EXPECT_EQ(pool.state().open, connections);
}

TEST_F(PgPoolTest, WarmingUpEndsWhereTheServerGivesNoFurtherConnection) {
  PgPoolOptions refused = options(3);
  refused.database.url = "postgres://nobody@127.0.0.1:1/none";
  PgPool pool(context_, refused);
  run([&]() -> asio::awaitable<void> { co_await pool.warm_up(); });
  EXPECT_EQ(pool.state().open, 0u);
  EXPECT_THAT(pool.state().shortage, HasSubstr("127.0.0.1"));
}

TEST_F(PgPoolTest, ATransactionThatBrokeRefusesWhatItIsAskedThen) {
  PgPool pool(context_, options(1));
  run([&]() -> asio::awaitable<void> {
    const PgParameters none;
    auto transaction = co_await pool.begin();
    if (!transaction) throw std::runtime_error(transaction.error().message);
    const auto ended = co_await (*transaction)->run(kEnd, none);
    EXPECT_FALSE(ended);
    const auto after = co_await (*transaction)->run(kOne, none);
    if (after) throw std::runtime_error("answered without a connection");
    EXPECT_EQ(after.error().kind, ErrorKind::retry_later);
    EXPECT_THAT(after.error().message, HasSubstr("begin another"));
    transaction->reset();
    const auto fresh = co_await pool.run(kOne, none);
    EXPECT_TRUE(fresh);
  });
}

}  // namespace
}  // namespace dwell
