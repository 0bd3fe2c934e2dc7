#pragma once

#include <stop_token>
#include <string>

#include "app/process/database_door.h"
#include "app/process/member_status.h"
#include "app/process/metrics.h"
#include "app/process/store_watch.h"
#include "app/process/topic_guard.h"
#include "app/settings/config.h"
#include "kafka/flow/cleaned_source.h"
#include "ports/clock.h"
#include "postgres/postgres_store.h"

namespace dwell {

// One of the members that a storing process is in the group: reads the partitions of the cleaned
// topic that it is given into the database, joining anew whenever its membership or its connection
// ends. Borrows all; run() on a thread of its own.
class StoreMember {
 public:
  // `instance` tells this process from others of the group, `number` its members apart.
  StoreMember(const Config& config, const std::string& instance, std::size_t number, Clock& clock,
              MemberStatus& status, Metrics& metrics, TopicGuard& topics);

  // What a commit brings to the database.
  struct Stored {
    std::uint64_t changes = 0;      // of rows
    std::uint64_t not_cleaned = 0;  // records that were none
  };

  // Until `stop` is asked for. Errors: what joining again cannot mend.
  Result<void> run(const std::stop_token& stop);

 private:
  Result<void> store_once(const std::stop_token& ends);
  Result<void> store_ahead(CleanedSource& source, std::unique_ptr<PostgresStore> store,
                           const std::stop_token& ends);
  Result<void> store_carefully(CleanedSource& source, PostgresStore& store,
                               const std::stop_token& ends);
  Result<void> commit(const Stored& stored, const StoreWatch::Work& work);
  void tell_held(std::size_t partitions);

  const Config& config_;
  DatabaseDoor door_;
  std::string member_;
  std::string task_;
  Clock& clock_;
  MemberStatus& status_;
  Metrics& metrics_;
  TopicGuard& topics_;
  StoreWatch watch_;
  std::size_t held_ = 0;     // partitions, as the metrics say
  bool is_careful_ = false;  // the database refused a row: batches are stored one after the other
};

}  // namespace dwell
