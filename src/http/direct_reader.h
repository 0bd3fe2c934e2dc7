#pragma once

#include <boost/asio/thread_pool.hpp>

#include "ports/async_timeline_reader.h"

namespace dwell {

// Readers that answer where they are asked: short questions on the thread that asks, long ones on
// `workers`. Borrows all.
class DirectReader final : public AsyncTimelineReader {
 public:
  // `slow_reader` is used on `workers` alone, which has one thread.
  DirectReader(TimelineReader& reader, TimelineReader& slow_reader,
               boost::asio::thread_pool& workers)
      : reader_(reader), slow_reader_(slow_reader), workers_(workers) {}

  boost::asio::awaitable<Result<std::vector<Row>>> timeline(const TimelineQuery& query) override;
  boost::asio::awaitable<Result<PresencePage>> presence(const PresenceQuery& query) override;
  boost::asio::awaitable<Result<std::optional<DeviceReport>>> device(
      const std::string& id) override;

 private:
  TimelineReader& reader_;
  TimelineReader& slow_reader_;
  boost::asio::thread_pool& workers_;
};

}  // namespace dwell
