#include "http/wire/turns.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <gmock/gmock.h>
#include <optional>
#include <string>
#include <vector>

namespace dwell {
namespace {

namespace asio = boost::asio;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class TurnsTest : public testing::Test {
 protected:
  // Takes a turn that lasts `rounds` of the loop, and notes when it comes.
  asio::awaitable<void> work(Turns turns, std::string name, int rounds) {
    auto turn = co_await turns.take();
    if (!turn) {
      notes_.push_back(name + ": " + turn.error().message);
      co_return;
    }
    notes_.push_back(name);
    for (int i = 0; i < rounds; ++i) co_await asio::post(context_, asio::use_awaitable);
    notes_.push_back(name + " ends");
  }
  void begin(const Turns& turns, const std::string& name, int rounds) {
    asio::co_spawn(context_, work(turns, name, rounds), asio::detached);
  }

  asio::io_context context_{1};
  std::vector<std::string> notes_;
};

TEST_F(TurnsTest, ComeOneAfterTheOtherInTheOrderOfAsking) {
  const Turns turns{Turns::Bounds()};
  begin(turns, "a", 3);
  begin(turns, "b", 0);
  begin(turns, "c", 1);
  context_.run();
  EXPECT_THAT(notes_, ElementsAre("a", "a ends", "b", "b ends", "c", "c ends"));
}

TEST_F(TurnsTest, LetOthersGoOnBetweenTwoOfThem) {
  const Turns turns{Turns::Bounds()};
  begin(turns, "a", 1);
  begin(turns, "b", 1);
  while (notes_.empty()) context_.run_one();
  asio::post(context_, [&] { notes_.push_back("other"); });
  context_.run();
  EXPECT_THAT(notes_, ElementsAre("a", "a ends", "other", "b", "b ends"));
}

TEST_F(TurnsTest, AreWaitedForByAFewAndForABoundedTime) {
  const Turns turns({1, std::chrono::milliseconds(20)});
  std::optional<Result<Turns::Turn>> held;
  const auto hold = [&]() -> asio::awaitable<void> {
    auto turn = co_await Turns(turns).take();
    held.emplace(std::move(turn));
  };
  asio::co_spawn(context_, hold, asio::detached);
  begin(turns, "late", 0);
  begin(turns, "too many", 0);
  context_.run();
  ASSERT_EQ(notes_.size(), 2u);
  EXPECT_THAT(notes_[0], HasSubstr("too many: 1 questions of this kind wait"));
  EXPECT_THAT(notes_[1], HasSubstr("late: the question waited 20 ms"));
  held.reset();
  begin(turns, "next", 0);
  context_.restart();
  context_.run();
  EXPECT_EQ(notes_.back(), "next ends");
}

TEST_F(TurnsTest, AreNotGivenToWhoWasCancelled) {
  const Turns turns{Turns::Bounds()};
  asio::cancellation_signal leaving;
  begin(turns, "a", 9);
  asio::co_spawn(context_, work(turns, "b", 0),
                 asio::bind_cancellation_slot(leaving.slot(), asio::detached));
  begin(turns, "c", 0);
  while (notes_.empty()) context_.run_one();
  asio::post(context_, [&] {
    asio::post(context_, [&] { leaving.emit(asio::cancellation_type::terminal); });
  });
  context_.run();
  EXPECT_THAT(notes_, ElementsAre("a", "b: the client has left", "a ends", "c", "c ends"));
}

}  // namespace
}  // namespace dwell
