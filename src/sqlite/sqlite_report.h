#pragma once

#include <memory>
#include <string>

#include "ports/store_report.h"
#include "sqlite/database.h"
#include "sqlite/stored_facts.h"

namespace dwell {

// The rejected records and totals of a SQLite file, beside the process that writes it.
class SqliteReport final : public StoreReport {
 public:
  // Errors: those of open_to_read().
  static Result<std::unique_ptr<SqliteReport>> open(const std::string& path,
                                                    DatabaseOptions options = {});

  Result<std::vector<RejectedRecord>> rejected(const RejectedQuery& query) override;
  Result<StoreTotals> totals() override;
  // The id of the newest rejected record there ever was; 0 for none.
  Result<std::int64_t> last_rejected();
  // Those that decided the outcomes; see load_settings().
  Result<StoredSettings> settings() { return load_settings(*database_); }

 private:
  SqliteReport(std::unique_ptr<Database> database, Statement rejects)
      : database_(std::move(database)), rejects_(std::move(rejects)) {}

  std::unique_ptr<Database> database_;
  Statement rejects_;
};

}  // namespace dwell
