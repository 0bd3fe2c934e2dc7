#pragma once

#include <boost/asio/awaitable.hpp>
#include <optional>
#include <string>
#include <vector>

#include "ports/timeline_reader.h"

namespace dwell {

// The questions of TimelineReader for many askers on one thread: an answer that has to be waited
// for lets the others go on. What is asked for outlives the answer. Errors: those of
// TimelineReader; retry_later also when too many wait, or the answer took too long.
class AsyncTimelineReader {
 public:
  virtual ~AsyncTimelineReader() = default;

  virtual boost::asio::awaitable<Result<std::vector<Row>>> timeline(const TimelineQuery& query) = 0;
  virtual boost::asio::awaitable<Result<PresencePage>> presence(const PresenceQuery& query) = 0;
  virtual boost::asio::awaitable<Result<std::optional<DeviceReport>>> device(
      const std::string& id) = 0;
};

}  // namespace dwell
