#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/record.h"

namespace dwell {

// What is wrong with an argument; empty: nothing.
std::string check_time(const std::string& text);
std::string check_duration(const std::string& text);
std::string check_place(const std::string& text);
std::string check_number(const std::string& text);

// The place of a record in a topic, as in 0:42.
std::optional<std::pair<PartitionId, Offset>> parse_place(std::string_view text);

}  // namespace dwell
