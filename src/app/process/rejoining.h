#pragma once

#include <functional>
#include <stop_token>
#include <string>

#include "app/process/member_status.h"
#include "ports/clock.h"

namespace dwell {

// The status of a member that has not joined its group.
inline constexpr const char* kJoining = "joining the group";

// Waits for `duration`, or until `stop` is asked for.
void wait(const std::stop_token& stop, Milliseconds duration);

// Runs one membership of a consumer group, or what else may break off and be begun anew, after the
// other, with growing pauses, until one ends by itself or `stop` is asked for. `task` names it in
// the status. Errors: what trying again cannot mend.
Result<void> keep_joining(const std::string& task, const std::stop_token& stop, Clock& clock,
                          MemberStatus& status, const std::function<Result<void>()>& once);

}  // namespace dwell
