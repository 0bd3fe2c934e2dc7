#pragma once

#include <memory>
#include <string>

#include "ports/row_reader.h"
#include "sqlite/database.h"

namespace dwell {

// Reads rows from a SQLite file, beside the process that writes it. Answers where it is asked, at
// once; so one view at a time, and no scan while it lasts but its own. Not thread-safe.
class SqliteRowReader final : public RowReader {
 public:
  // Errors: those of open_to_read().
  static Result<std::unique_ptr<SqliteRowReader>> open(const std::string& path,
                                                       DatabaseOptions options = {});

  boost::asio::awaitable<Result<void>> scan(const Scan& scan, ScanPage& page) override;
  boost::asio::awaitable<Result<std::unique_ptr<RowView>>> view(
      const DeviceRange& devices) override;

 private:
  class View;

  explicit SqliteRowReader(std::unique_ptr<Database> database) : database_(std::move(database)) {}

  Result<void> prepare();
  Result<void> read(const Scan& scan, ScanPage& page);
  Result<void> read_one(const Scan& scan, ScanPage& page);
  Result<void> read_many(const Scan& scan, ScanPage& page);
  // Appends what a device has: carried rows, then up to `most` others; whether there are more.
  Result<void> carry(const Scan& scan, const std::string& device, ScanPage& page);
  Result<bool> rows(const Scan& scan, const std::string& device, const std::optional<Row>& after,
                    std::size_t most, ScanPage& page);
  Result<std::optional<OutcomeSummary>> outcomes(const std::string& device);
  Result<StoredUpTo> stored_up_to();

  std::unique_ptr<Database> database_;
  Statement rows_up_, rows_down_, state_, devices_from_, devices_behind_;
};

}  // namespace dwell
