#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>

#include "app/settings/config.h"
#include "kafka/client/progress.h"
#include "ports/visibility.h"
#include "postgres/postgres_row_reader.h"

namespace dwell {

// Follows records from the input to the database, stage by stage: each stage is passed when its
// group has committed, or its store has stored, what the stage before had written by the time it
// was passed. Ends of topics are taken with open transactions, since a group's commit can show
// before the marker that makes its records readable.
class ReadYourWrites final : public Visibility {
 public:
  // `context` is run by the thread that asks.
  ReadYourWrites(boost::asio::io_context& context, const Config& config, PostgresRowReader& reader);

  boost::asio::awaitable<Result<void>> wait_for(const std::vector<InputPlace>& places) override;

 private:
  using Clock = std::chrono::steady_clock;

  boost::asio::awaitable<Result<void>> follow(const std::vector<InputPlace>& places);
  // How many partitions the input has; asked for now and then, and when one is named that it had
  // not, since it may grow.
  boost::asio::awaitable<Result<int>> input_partitions(PartitionId last_named);
  // Repeats `ask` until its offsets are all at or past the goals.
  template <typename Ask>
  boost::asio::awaitable<Result<void>> reach(const PartitionOffsets& goals, std::string_view what,
                                             Clock::time_point deadline, Ask ask);
  boost::asio::awaitable<Result<void>> reach_commits(const std::string& group,
                                                     const std::string& topic,
                                                     const PartitionOffsets& goals,
                                                     Clock::time_point deadline);

  boost::asio::io_context& context_;
  const Config& config_;
  PostgresRowReader& reader_;
  KafkaProgress progress_;
  int input_partitions_ = 0;
  Clock::time_point asked_at_;
  std::size_t waiting_ = 0;
  boost::asio::thread_pool worker_{1};
};

}  // namespace dwell
