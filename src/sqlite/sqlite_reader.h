#pragma once

#include <memory>
#include <string>

#include "ports/timeline_reader.h"
#include "sqlite/database.h"

namespace dwell {

// Answers questions from a SQLite file, beside the process that writes it. Every page is one read
// transaction. Not thread-safe.
class SqliteReader final : public TimelineReader {
 public:
  // Errors: not_found (no such file), invalid (not ours, or without our tables).
  static Result<std::unique_ptr<SqliteReader>> open(const std::string& path,
                                                    DatabaseOptions options = {});

  Result<std::vector<Row>> timeline(const TimelineQuery& query) override;
  Result<PresencePage> presence(const PresenceQuery& query) override;
  Result<std::optional<DeviceReport>> device(const std::string& id) override;
  Result<std::vector<RejectedRecord>> rejected(const RejectedQuery& query) override;
  Result<StoreTotals> totals() override;

 private:
  explicit SqliteReader(std::unique_ptr<Database> database) : database_(std::move(database)) {}

  Result<void> prepare();
  Result<std::optional<std::int64_t>> device_number(const std::string& name);

  // The head of the run that a device's last row up to `at` belongs to; empty without rows.
  Result<std::optional<Row>> last_run(std::int64_t device, Timestamp at);
  Result<PresencePage> read_presence(const PresenceQuery& query);
  Result<std::optional<DeviceReport>> read_device(const std::string& id);

  std::unique_ptr<Database> database_;
  Statement find_device_, rows_up_, rows_down_, devices_, rejects_, about_device_;
};

}  // namespace dwell
