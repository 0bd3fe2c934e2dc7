#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <type_traits>

namespace dwell {

// Runs a coroutine on `worker` and goes on where it was awaited, with what it returned. A
// cancellation waits for that: Asio 1.81 would pass it to the other thread by a pointer that may be
// gone by then.
template <typename T>
boost::asio::awaitable<T> on_worker(boost::asio::thread_pool& worker,
                                    boost::asio::awaitable<T> work) {
  namespace asio = boost::asio;
  co_return co_await asio::co_spawn(
      worker, std::move(work),
      asio::bind_cancellation_slot(asio::cancellation_slot(), asio::use_awaitable));
}

// Runs f() so.
template <typename F>
boost::asio::awaitable<std::invoke_result_t<F&>> on_worker(boost::asio::thread_pool& worker, F f) {
  auto run = [&f]() -> boost::asio::awaitable<std::invoke_result_t<F&>> { co_return f(); };
  co_return co_await on_worker(worker, run());
}

}  // namespace dwell
