#include "app/process/late_notes.h"

#include <algorithm>
#include <fmt/format.h>

#include "app/settings/units.h"
#include "app/terminal/output.h"
#include "base/printable.h"

namespace dwell {
namespace {

// In the largest unit that leaves two digits or more, so that it is easily read.
Milliseconds rounded_up(Milliseconds duration) {
  for (const Milliseconds unit :
       {Milliseconds(std::chrono::days(1)), Milliseconds(std::chrono::hours(1)),
        Milliseconds(std::chrono::minutes(1)), Milliseconds(std::chrono::seconds(1))}) {
    if (duration >= 2 * unit) return (duration + unit - Milliseconds{1}) / unit * unit;
  }
  return duration;
}

}  // namespace

void LateNotes::add(const Partition& partition, std::span<const std::uint32_t> known) {
  if (!partition.unit) return;
  for (const LateEvent& event : partition.unit->too_late) {
    ++count_;
    within_horizon_ += event.is_within_horizon;
    furthest_behind_ = std::max(furthest_behind_, event.behind);
    if (!event.jump || jumped_.size() == kNamedDevices) continue;
    const auto device = partition.fold.device_id(event.device);
    const bool is_named = std::any_of(jumped_.begin(), jumped_.end(),
                                      [&](const Jumped& one) { return one.device == device; });
    if (!is_named) jumped_.push_back({std::string(device), *event.jump});
  }
  known_ += known.size();
  out_of_order_ += partition.unit->late;
}

std::vector<std::string> LateNotes::lines(const Rule& rule) const {
  std::vector<std::string> lines;
  if (out_of_order_ > 0) {
    lines.push_back(fmt::format(
        "late: {} accepted events are older than the last one of their device; a database made "
        "anew with order.mode = event_time puts them in their place",
        format_count(out_of_order_)));
  }
  if (count_ == 0) return lines;
  auto line = fmt::format("too_late: {} events", format_count(count_));
  if (known_ > 0) line += fmt::format(", {} of them rows already", format_count(known_));
  if (count_ > known_) {
    std::string settings;
    if (furthest_behind_ > rule.horizon) {
      settings = fmt::format("order.horizon = {}", format_duration(rounded_up(furthest_behind_)));
    }
    if (within_horizon_ > 0) {
      settings += fmt::format("{}a larger order.window_max", settings.empty() ? "" : " and ");
    }
    line += fmt::format(
        "; a database made anew with {} takes all of them, this one has let go of what a larger "
        "window would need",
        settings.empty() ? "a larger order.horizon" : settings);
  }
  lines.push_back(std::move(line));
  for (const auto& [device, jump] : jumped_) {
    lines.push_back(fmt::format(
        "device {}: its times went from {} to {}, more than order.horizon; if its clock was wrong, "
        "that is why later events are too late",
        printable(device), format_rfc3339(jump.from), format_rfc3339(jump.to)));
  }
  return lines;
}

}  // namespace dwell
