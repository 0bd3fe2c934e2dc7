#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <sqlite3.h>
#include <string>
#include <string_view>

#include "base/result.h"

namespace dwell {

class Database;

// A prepared statement. Parameters count from 1, columns from 0, as in SQLite. Bound text and blobs
// must live until the next reset. Not thread-safe.
class Statement {
 public:
  Statement() = default;

  void bind(int parameter, std::int64_t value);
  void bind(int parameter, std::uint64_t value) {
    bind(parameter, static_cast<std::int64_t>(value));
  }
  void bind_text(int parameter, std::string_view value);
  void bind_blob(int parameter, std::string_view value);

  // Runs to the next row: true if there is one. After false or an error the statement is reset.
  Result<bool> step();
  // Runs a statement that gives no rows, and resets it.
  Result<void> run();
  void reset();

  std::int64_t integer(int column) const;
  std::string_view bytes(int column) const;  // of a text or blob; valid until the next step

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  const Database* database_ = nullptr;
};

struct DatabaseOptions {
  bool is_read_only = false;
  std::int64_t cache_bytes = 128 << 20;
  std::chrono::milliseconds busy_timeout{5'000};  // for a lock that another program has
  std::string name;  // what messages call the file; its path when empty
  std::string vfs;   // SQLite's default when empty; tests inject faults here
};

// A connection to one SQLite file: WAL, synchronous=FULL, foreign statements' text never built from
// input. Errors are named by what to do next: retry_later (busy, disk full), invalid (cannot be
// opened, not a database, no permission), fatal (damaged, I/O error). Not thread-safe.
class Database {
 public:
  static Result<std::unique_ptr<Database>> open(const std::string& path,
                                                const DatabaseOptions& options);

  Result<Statement> prepare(std::string_view sql);
  Result<void> execute(const std::string& sql);

  // Switches the file to a write-ahead log, for good: only once it is known to be ours.
  Result<void> keep_log();
  Result<std::int64_t> query_integer(std::string_view sql);  // one row, one column

  // Rows the last statement changed.
  std::uint64_t changes() const {
    return static_cast<std::uint64_t>(sqlite3_changes64(handle_.get()));
  }
  bool is_in_transaction() const { return sqlite3_get_autocommit(handle_.get()) == 0; }
  const std::string& path() const { return path_; }  // as messages call it

  // The error of the last call that failed with `code`.
  Failure failure(int code) const;

 private:
  struct Close {
    void operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
  };
  explicit Database(std::string path) : path_(std::move(path)) {}

  std::string path_;
  std::unique_ptr<sqlite3, Close> handle_;
};

// BEGIN IMMEDIATE ... COMMIT; rolls back in its destructor unless commit() ran.
class Transaction {
 public:
  static Result<Transaction> begin(Database& database);
  ~Transaction();
  Transaction(Transaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;

  // `unknown_outcome` when the log may or may not have reached the disk; the connection must then
  // be closed. On any other error the transaction is rolled back by the destructor.
  Result<void> commit();

 private:
  explicit Transaction(Database& database) : database_(&database) {}
  Database* database_;
};

}  // namespace dwell
