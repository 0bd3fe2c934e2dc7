#pragma once

#include <boost/asio/thread_pool.hpp>
#include <functional>

#include "ports/async_timeline_reader.h"

namespace dwell {

// Readers that answer where they are asked: short questions on the thread that asks, long ones on
// `workers`. Borrows all.
class DirectReader final : public AsyncTimelineReader {
 public:
  // Told of every error, on the thread that asks.
  using OnError = std::function<void(const Error& error)>;

  // `slow_reader` is used on `workers` alone, which has one thread.
  DirectReader(
      TimelineReader& reader, TimelineReader& slow_reader, boost::asio::thread_pool& workers,
      OnError on_error = [](const Error&) {})
      : reader_(reader),
        slow_reader_(slow_reader),
        workers_(workers),
        on_error_(std::move(on_error)) {}

  boost::asio::awaitable<Result<std::vector<Row>>> timeline(const TimelineQuery& query) override;
  boost::asio::awaitable<Result<PresencePage>> presence(const PresenceQuery& query) override;
  boost::asio::awaitable<Result<std::optional<DeviceReport>>> device(
      const std::string& id) override;

 private:
  TimelineReader& reader_;
  TimelineReader& slow_reader_;
  boost::asio::thread_pool& workers_;
  OnError on_error_;
};

}  // namespace dwell
