#pragma once

#include <memory>

#include "ports/row_reader.h"
#include "postgres/pool.h"

namespace dwell {

// Reads rows from the table device_events_cleaned. One thread: that of the pool.
class PostgresRowReader final : public RowReader {
 public:
  // The statements and the session are its own. `topic`: the cleaned topic that rows come from.
  PostgresRowReader(boost::asio::io_context& context, PgPoolOptions options, std::string topic);

  boost::asio::awaitable<Result<void>> scan(const Scan& scan, ScanPage& page) override;
  boost::asio::awaitable<Result<std::unique_ptr<RowView>>> view(
      const DeviceRange& devices) override;

  // As of a moment of its own.
  boost::asio::awaitable<Result<StoredUpTo>> stored_up_to();

  // Whether questions can be answered: the database is there, and its tables are as they should be.
  // Asks it by a connection that nobody else needs; where all are busy they are there. Errors:
  // those of PgPool, invalid.
  boost::asio::awaitable<Result<void>> check();
  // As PgPool::open_all().
  boost::asio::awaitable<void> open_all() { return pool_.open_all(); }
  PgPoolState connections() const { return pool_.state(); }
  PgPoolLoad load() const { return pool_.load(); }  // any thread

 private:
  class View;

  boost::asio::awaitable<Result<bool>> is_hypertable();

  PgPool pool_;
  const std::string topic_;
  std::optional<bool> is_hypertable_;  // asked for once
};

}  // namespace dwell
