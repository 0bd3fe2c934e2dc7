#pragma once

#include <stop_token>
#include <string>

#include "app/process/database_door.h"
#include "app/process/member_status.h"
#include "app/process/store_watch.h"
#include "app/process/topic_guard.h"
#include "app/settings/config.h"
#include "ports/clock.h"

namespace dwell {

// The member that a storing process is in the group that reads the state topic: keeps what became
// of each device's events in the database, joining anew whenever its membership or its connection
// ends. Borrows all; run() on a thread of its own.
class DeviceMember {
 public:
  // `instance` tells this process from others of the group.
  DeviceMember(const Config& config, std::string instance, Clock& clock, MemberStatus& status,
               TopicGuard& topics);

  // Until `stop` is asked for. Errors: what joining again cannot mend.
  Result<void> run(const std::stop_token& stop);

 private:
  // Goes on where the database is, or, `from_start` of the topic, meets all once more.
  Result<void> store_once(bool from_start, const std::stop_token& ends);

  const Config& config_;
  DatabaseDoor door_;
  std::string member_;
  Clock& clock_;
  MemberStatus& status_;
  TopicGuard& topics_;
  StoreWatch watch_;
};

}  // namespace dwell
