#pragma once

#include <map>

#include "core/record.h"
#include "ports/async_timeline_reader.h"
#include "postgres/pool.h"

namespace dwell {

// Answers questions from the table device_events_cleaned. Each answer comes from one statement, and
// so from one view of the database. One thread: that of the pool.
class PostgresReader final : public AsyncTimelineReader {
 public:
  // The statements and the session are its own.
  PostgresReader(boost::asio::io_context& context, PgPoolOptions options);

  boost::asio::awaitable<Result<std::vector<Row>>> timeline(const TimelineQuery& query) override;
  boost::asio::awaitable<Result<PresencePage>> presence(const PresenceQuery& query) override;
  boost::asio::awaitable<Result<std::optional<DeviceReport>>> device(
      const std::string& id) override;

  // How far each partition of the cleaned topic is stored.
  boost::asio::awaitable<Result<std::map<PartitionId, Offset>>> positions(const std::string& topic);

  // Whether questions can be answered: the database is there, and its tables are as they should be.
  // Asks it by a connection that nobody else needs; where all are busy they are there. Errors:
  // those of PgPool, invalid.
  boost::asio::awaitable<Result<void>> check();
  PgPoolState connections() const { return pool_.state(); }

 private:
  boost::asio::awaitable<Result<bool>> is_hypertable();

  PgPool pool_;
  std::optional<bool> is_hypertable_;  // asked for once
};

}  // namespace dwell
