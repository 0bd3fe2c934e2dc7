#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/timestamp.h"
#include "core/event_timestamp.h"
#include "core/mapping.h"

namespace dwell {

enum class Order : std::uint8_t { arrival = 0, event_time = 1 };
enum class FirstExit : std::uint8_t { accept, suppress };
enum class ClockSource : std::uint8_t { event, received };

constexpr std::string_view name(Order order) {
  return order == Order::arrival ? "arrival" : "event_time";
}

// The version of the rule that what is made new gets.
inline constexpr std::uint32_t kRuleVersion = 2;

// The settings that decide outcomes; docs/settings.md lists their names, ranges and defaults.
// Two folds of the same records under equal rules end in the same state.
struct Rule {
  // How records are read and judged; docs/formats.md, "Rule versions", says what each does. Under 1
  // the mapping and the time format mean nothing.
  std::uint32_t version = kRuleVersion;
  Order order = Order::arrival;
  FirstExit first_exit = FirstExit::accept;
  std::uint32_t duplicate_window = 4;  // events, 0 to kLargestDuplicateWindow
  std::uint32_t window_max = 1024;     // events, 1 to kLargestWindow
  Milliseconds horizon = std::chrono::hours(24);
  ClockSource clock_source = ClockSource::event;
  std::optional<Milliseconds> max_ahead = std::chrono::minutes(5);  // empty: no limit
  std::optional<Milliseconds> max_behind = {};                      // empty: no limit
  TimeFormat time = {};
  Mapping mapping = {};

  friend bool operator==(const Rule&, const Rule&) = default;
};

inline constexpr std::uint32_t kLargestDuplicateWindow = 64;
inline constexpr std::uint32_t kLargestWindow = 65'536;

}  // namespace dwell
