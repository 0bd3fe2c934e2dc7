#pragma once

#include <boost/asio/io_context.hpp>

#include "base/awaited.h"
#include "questions/device.h"
#include "questions/presence.h"
#include "questions/timeline.h"

namespace dwell {

// A page of a device's rows with start <= timestamp <= end.
struct TimelineQuery {
  std::string device;
  Timestamp start = kEarliest;
  Timestamp end = kLatest;
  RowOrder order = RowOrder::ascending;
  std::optional<Row> after = {};  // the last row of the page before
  std::size_t limit = 1000;
};

// Asks a reader and waits for the answers.
class Questions {
 public:
  Questions(boost::asio::io_context& context, RowReader& reader)
      : context_(context), reader_(reader) {}

  Result<std::vector<Row>> timeline(const TimelineQuery& query) {
    Timeline timeline(query.device, query.start, query.end, query.order);
    if (query.after) timeline.start_behind(*query.after);
    auto read = awaited(context_, timeline.read(reader_, query.limit));
    if (!read) return pass(read);
    return timeline.rows();
  }
  Result<PresencePage> presence(const PresenceQuery& query) {
    return awaited(context_, dwell::presence(reader_, query));
  }
  Result<std::optional<DeviceReport>> device(const std::string& id) {
    return awaited(context_, device_report(reader_, id));
  }

 private:
  boost::asio::io_context& context_;
  RowReader& reader_;
};

}  // namespace dwell
