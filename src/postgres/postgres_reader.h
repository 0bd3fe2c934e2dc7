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

 private:
  boost::asio::awaitable<Result<bool>> is_hypertable();

  PgPool pool_;
  std::optional<bool> is_hypertable_;  // asked for once
};

}  // namespace dwell
