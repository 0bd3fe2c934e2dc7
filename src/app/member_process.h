#pragma once

#include <functional>
#include <stop_token>
#include <vector>

#include "app/config.h"
#include "app/member_status.h"
#include "app/metrics.h"
#include "base/file_lock.h"

namespace dwell {

// What tells this process from others of its groups, and the lock that guards it.
struct Instance {
  std::string id;
  FileLock lock;
};

// Takes the place of `instance.id` for the commands that share `group`. Errors: invalid (another
// process on this host has it; says what to do).
Result<Instance> take_instance(const Config& config, const std::string& group,
                               const std::string& command);

// What a member does on a thread of its own until it is asked to stop.
using MemberTask = std::function<Result<void>(const std::stop_token& stop)>;

// Runs the tasks and serves health and metrics on `listen` (off: nowhere) until a signal comes or
// one task ends with an error, which ends all.
Result<void> run_members(const std::vector<MemberTask>& tasks, const Config& config,
                         const std::string& listen, const MemberStatus& status, Metrics& metrics);

}  // namespace dwell
