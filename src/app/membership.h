#pragma once

#include <functional>
#include <stop_token>
#include <string>

#include "app/member_status.h"
#include "ports/clock.h"

namespace dwell {

// Runs one membership of a consumer group after the other, with growing pauses, until one ends by
// itself or `stop` is asked for. `task` names it in the status. Errors: what joining again cannot
// mend.
Result<void> keep_joining(const std::string& task, const std::stop_token& stop, Clock& clock,
                          MemberStatus& status, const std::function<Result<void>()>& once);

}  // namespace dwell
