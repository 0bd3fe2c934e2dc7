#include "http/api/direct_reader.h"

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <optional>

#include "base/on_worker.h"

namespace dwell {

namespace asio = boost::asio;

asio::awaitable<Result<std::vector<Row>>> DirectReader::timeline(const TimelineQuery& query) {
  std::optional<Turns::Turn> turn;
  if (query.limit > order_.rows_at_once) {
    auto taken = co_await order_.pages.take();
    if (!taken) co_return pass(taken);
    turn.emplace(std::move(*taken));
  }
  auto answer = reader_.timeline(query);
  if (turn) {  // it lasts until all others that are ready have gone on
    const auto executor = co_await asio::this_coro::executor;
    co_await asio::post(executor, asio::use_awaitable);
  }
  if (!answer) on_error_(answer.error());
  co_return answer;
}

asio::awaitable<Result<PresencePage>> DirectReader::presence(const PresenceQuery& query) {
  // Taken here and not by a queue of the workers: who has left or waits for too long asks no more.
  auto turn = co_await order_.slow_questions.take();
  if (!turn) co_return pass(turn);
  auto answer = co_await on_worker(workers_, [&] { return slow_reader_.presence(query); });
  if (!answer) on_error_(answer.error());
  co_return answer;
}

asio::awaitable<Result<std::optional<DeviceReport>>> DirectReader::device(const std::string& id) {
  auto answer = reader_.device(id);
  if (!answer) on_error_(answer.error());
  co_return answer;
}

}  // namespace dwell
