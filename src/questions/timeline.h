#pragma once

#include <array>
#include <string>

#include "ports/row_reader.h"
#include "questions/list_writer.h"

namespace dwell {

// The rows of one device as they are stored, page after page.
class Timeline {
 public:
  Timeline() = default;
  // `start` and `end` are both included.
  Timeline(const std::string& device, Timestamp start, Timestamp end,
           RowOrder order = RowOrder::ascending);

  const std::string& device() const { return scan_.devices.first; }
  const Scan& scan() const { return scan_; }
  void start_behind(const Row& row) { scan_.after = ScanPlace{device(), row}; }

  // Reads the next page: `limit` rows, fewer on the last one. Both outlive the answer.
  boost::asio::awaitable<Result<void>> read(RowReader& reader, std::size_t limit);

  const std::vector<Row>& rows() const { return page_.rows; }
  bool has_more() const { return page_.next.has_value(); }

 private:
  Scan scan_;
  ScanPage page_;
};

// Writes the rows of one device.
class TimelineWriter {
 public:
  TimelineWriter(Representation representation, std::string_view device);

  void begin(std::string& out) const { writer_.begin(out); }
  void add(const Row& row, std::string& out);
  void end(const std::optional<std::string>& next, std::string& out) const {
    writer_.end(out, next);
  }

 private:
  ListWriter writer_;
  std::string device_;
  std::array<std::string, 2> heads_;  // of an enter, of an exit
};

}  // namespace dwell
