#pragma once

#include <boost/asio/thread_pool.hpp>
#include <functional>

#include "http/wire/turns.h"
#include "ports/async_timeline_reader.h"

namespace dwell {

// Readers that answer where they are asked: short questions on the thread that asks, long ones on
// `workers`. Borrows all.
class DirectReader final : public AsyncTimelineReader {
 public:
  // Told of every error, on the thread that asks.
  using OnError = std::function<void(const Error& error)>;

  // What has to wait for its turn, so that others get theirs. Copies share it.
  struct Order {
    std::size_t rows_at_once = 1'001;  // a page of more rows waits for other such pages
    Turns pages{Turns::Bounds()};
    Turns slow_questions{{1'000, std::chrono::seconds(10)}};
  };

  // `slow_reader` is used on `workers` alone, which has one thread.
  DirectReader(
      TimelineReader& reader, TimelineReader& slow_reader, boost::asio::thread_pool& workers,
      OnError on_error = [](const Error&) {})
      : DirectReader(reader, slow_reader, workers, std::move(on_error), Order()) {}
  DirectReader(TimelineReader& reader, TimelineReader& slow_reader,
               boost::asio::thread_pool& workers, OnError on_error, const Order& order)
      : reader_(reader),
        slow_reader_(slow_reader),
        workers_(workers),
        on_error_(std::move(on_error)),
        order_(order) {}

  boost::asio::awaitable<Result<std::vector<Row>>> timeline(const TimelineQuery& query) override;
  boost::asio::awaitable<Result<PresencePage>> presence(const PresenceQuery& query) override;
  boost::asio::awaitable<Result<std::optional<DeviceReport>>> device(
      const std::string& id) override;

 private:
  TimelineReader& reader_;
  TimelineReader& slow_reader_;
  boost::asio::thread_pool& workers_;
  OnError on_error_;
  Order order_;
};

}  // namespace dwell
