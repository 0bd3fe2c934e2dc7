#pragma once

#include "core/event.h"

namespace dwell {

inline constexpr auto kEnter = EventType::enter;
inline constexpr auto kExit = EventType::exit;

}  // namespace dwell
