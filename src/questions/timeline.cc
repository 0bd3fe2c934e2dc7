#include "questions/timeline.h"

namespace dwell {

Timeline::Timeline(const std::string& device, Timestamp start, Timestamp end, RowOrder order) {
  scan_.devices = DeviceRange::only(device);
  scan_.start = start;
  scan_.end = end;
  scan_.order = order;
}

boost::asio::awaitable<Result<void>> Timeline::read(RowReader& reader, std::size_t limit) {
  if (page_.next) scan_.after = std::move(page_.next);
  scan_.limit = limit;
  return reader.scan(scan_, page_);
}

TimelineWriter::TimelineWriter(Representation representation, std::string_view device)
    : writer_(representation, "events", {"deviceID", "eventType", "timestamp"}), device_(device) {
  for (const auto type : {EventType::enter, EventType::exit}) {
    heads_[static_cast<std::size_t>(type)] = writer_.head({device_, wire_name(type)});
  }
}

void TimelineWriter::add(const Row& row, std::string& out) {
  if (row.other_type.empty()) {
    writer_.add(out, heads_[static_cast<std::size_t>(row.type)], row.timestamp);
  } else {
    writer_.add(out, {device_, row.other_type}, row.timestamp);
  }
}

}  // namespace dwell
