#pragma once

#include <stop_token>
#include <string>

#include "app/process/member_status.h"
#include "app/process/metrics.h"
#include "app/process/topic_guard.h"
#include "app/settings/config.h"
#include "ports/clock.h"

namespace dwell {

// One of the members that a cleaning process is in the group: reads the partitions it is given,
// folds them and commits, joining anew whenever its membership ends. Borrows all; run() and
// run_hop() on a thread each.
class CleanMember {
 public:
  // `instance` tells this process from others of the group, `number` its members apart.
  CleanMember(const Config& config, const std::string& instance, std::size_t number, Clock& clock,
              MemberStatus& status, Metrics& metrics, TopicGuard& topics);

  // Until `stop` is asked for. Errors: what joining again cannot mend.
  Result<void> run(const std::stop_token& stop);
  // The same for the hop in front, where the input is not partitioned by device; idle where it is.
  Result<void> run_hop(const std::stop_token& stop);

 private:
  // `ends`: of this membership; by `stop` with all that is unsaved, else without a word.
  Result<void> clean_once(const std::stop_token& ends, const std::stop_token& stop);
  Result<void> hop_once(const std::stop_token& ends);

  const Config& config_;
  std::string member_;
  std::string task_;
  std::string hop_task_;
  Clock& clock_;
  MemberStatus& status_;
  Metrics& metrics_;
  TopicGuard& topics_;
};

}  // namespace dwell
