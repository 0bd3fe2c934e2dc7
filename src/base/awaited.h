#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <optional>

namespace dwell {

// What a coroutine ends with, run on `context` by this thread alone.
template <typename T>
T awaited(boost::asio::io_context& context, boost::asio::awaitable<T> question) {
  std::optional<T> answer;
  std::exception_ptr thrown;
  boost::asio::co_spawn(context, std::move(question), [&](std::exception_ptr error, T value) {
    thrown = error;
    if (!error) answer.emplace(std::move(value));
  });
  context.restart();
  while (!answer && !thrown && context.run_one() > 0) {
  }
  if (thrown) std::rethrow_exception(thrown);
  return std::move(*answer);
}

}  // namespace dwell
