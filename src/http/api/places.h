#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ports/intake.h"

namespace dwell {

inline constexpr std::size_t kMostPlaces = 1'024;

// Places in the input as clients see them: PARTITION:OFFSET, several with commas.
std::string format_places(const std::vector<InputPlace>& places);
std::optional<std::vector<InputPlace>> parse_places(std::string_view text);

}  // namespace dwell
