#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ports/committer.h"
#include "sqlite/database.h"
#include "sqlite/database_claim.h"
#include "sqlite/stored_facts.h"
#include "sqlite/stored_totals.h"
#include "sqlite/window_pieces.h"

namespace dwell {

struct SqliteCommitterOptions {
  DatabaseOptions database;
  Milliseconds rejects_max_age = std::chrono::days(30);
  Order order_of_new = Order::arrival;         // of a new file, where none is asked for
  std::uint64_t rejects_max_bytes = 64 << 20;  // of raw bytes, and 128 bytes a record on top
  // Asked while open() cannot go on for now, the file being claimed already: whether it shall try
  // again. Empty: it gives up.
  std::function<bool(const Error&)> tries_again;
};

// Commits the units of partition 0 to one SQLite file: rows, states, totals, rejected records and
// positions in one transaction, durable when commit() returns.
//
// Owns the file for writing, under all its names (DatabaseClaim); readers are free. A file that no
// longer stands under its name takes no commit: retry_later. Must outlive every other connection of
// this process to the file. After unknown_outcome the connection is closed; restore() opens it
// again and lets the log decide. Device numbers are row ids less one, so restoring needs no map.
// Not thread-safe.
class SqliteCommitter final : public Committer {
 public:
  // Creates the file or brings its layout up to date. `order` is stored in a new file and must be
  // the stored one in an old file; without one it is the stored one, or `order_of_new`.
  // Errors: retry_later (locked; says by whom), invalid (not a database of ours, other order, not
  // writable, last written under another name), fatal (damaged).
  static Result<std::unique_ptr<SqliteCommitter>> open(const std::string& path,
                                                       std::optional<Order> order,
                                                       const SqliteCommitterOptions& options);
  ~SqliteCommitter() override;

  Order order() const { return *order_; }

  // The settings that decided what is in the file (see load_settings()), and those that will.
  Result<StoredSettings> settings() { return load_settings(*database_); }
  Result<void> keep_settings(const StoredSettings& settings) {
    return store_settings(*database_, settings);
  }

  // The files that belong to the database, by their real names.
  std::vector<std::string> files() const { return claim_.files(); }

  Result<void> restore(std::span<Partition> partitions) override;
  Result<void> commit(std::span<const Partition> partitions) override;
  std::span<const std::uint32_t> known_late() const override { return known_late_; }
  CommitCounts counts() const override { return last_; }

 private:
  struct Statements;

  SqliteCommitter(std::string path, std::optional<Order> order,
                  const SqliteCommitterOptions& options, DatabaseClaim claim);

  Result<void> connect();
  void disconnect();
  Result<void> check_order();
  Result<void> write(const Unit& unit, const Fold& after, StoreCounts& counts);
  Result<void> load_devices(Fold& fold);
  Result<std::vector<Position>> load_positions();

  Result<void> write_states(const Unit& unit, const Fold& after);
  Result<void> write_rows(const Unit& unit, StoreCounts& counts);
  Result<void> find_known_late(const Unit& unit, StoreCounts& counts);
  Result<void> write_rejects(const Unit& unit, StoreCounts& counts);
  Result<void> trim_rejects(Timestamp now, std::uint64_t most_by_age, StoreCounts& counts);
  Result<void> write_totals(const Totals& totals, const StoreCounts& counts);
  Result<void> write_positions(const Unit& unit);

  std::string path_;
  std::optional<Order> order_;  // empty: not asked for, and not read from the file yet
  SqliteCommitterOptions options_;
  DatabaseClaim claim_;
  std::unique_ptr<Database> database_;  // empty after unknown_outcome
  std::unique_ptr<Statements> statements_;
  StoreCounts counts_;
  CommitCounts last_;  // of the last commit

  WindowPieces windows_;
  std::vector<CleanedRecord> rows_;  // scratch
  std::vector<std::uint32_t> known_late_;
  std::vector<DeviceIndex> state_order_;  // scratch
  std::string state_;                     // scratch
};

}  // namespace dwell
