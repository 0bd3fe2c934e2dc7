#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/timestamp.h"

namespace dwell {

// A whole number and a unit: ms, s, min, h or d, as in 90s or 24h.
std::optional<Milliseconds> parse_duration(std::string_view text);
// The shortest text parse_duration() reads as the same duration.
std::string format_duration(Milliseconds duration);

// RFC 3339, or a day alone, which begins at midnight UTC.
std::optional<Timestamp> parse_day_or_time(std::string_view text);
// The shortest text parse_day_or_time() reads as the same time.
std::string format_day_or_time(Timestamp time);

// A whole number of bytes, optionally with KiB, MiB or GiB.
std::optional<std::uint64_t> parse_bytes(std::string_view text);
std::string format_bytes(std::uint64_t bytes);

// A whole number in decimal digits, nothing else around it.
std::optional<std::uint64_t> parse_count(std::string_view text);

// Texts with commas between them, none of them empty.
std::optional<std::vector<std::string>> parse_list(std::string_view text);
std::string format_list(const std::vector<std::string>& all);

// Names of hosts with commas between them; "none" for none.
std::optional<std::vector<std::string>> parse_hosts(std::string_view text);
std::string format_hosts(const std::vector<std::string>& hosts);

// For people, rounded down to two units: "3 d 4 h", "12 min 5 s", "0 s".
std::string format_span(Milliseconds duration);
// For people: 20202 as 19.7 KiB.
std::string format_size(std::uint64_t bytes);
// For people: 1234567 as 1,234,567.
std::string format_count(std::uint64_t count);

}  // namespace dwell
