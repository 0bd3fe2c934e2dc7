#pragma once

#include <functional>
#include <stop_token>
#include <string>

#include "app/process/health_board.h"
#include "ports/clock.h"

namespace dwell {

// Why a member that has not joined its group is not ready.
inline constexpr const char* kJoining = "joining the group";

// Runs one membership of a consumer group, or what else may break off and be begun anew, after the
// other, with growing pauses, until one ends by itself or `stop` is asked for. `task` names it on
// the board. Errors: what trying again cannot mend.
Result<void> keep_joining(const std::string& task, const std::stop_token& stop, Clock& clock,
                          HealthBoard& board, const std::function<Result<void>()>& once);

}  // namespace dwell
