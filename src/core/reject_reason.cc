#include "core/reject_reason.h"

#include <fmt/format.h>

namespace dwell {

std::string RejectReasons::explain(const Record& record, Outcome outcome) {
  decoder_.reset();
  auto reason = decoder_.explain(record);
  if (!reason.empty()) return reason;
  const Decoded decoded = decoder_.decode(record);
  if (decoded.outcome != Outcome::accepted) return {};
  const auto time = format_rfc3339(decoded.event.timestamp);
  const auto now = format_rfc3339(record.now);
  const Milliseconds ahead = decoded.event.timestamp - record.now;
  switch (outcome) {
    case Outcome::future_timestamp:
      if (!rule_.max_ahead || ahead <= *rule_.max_ahead) return {};
      return fmt::format("timestamp {} is more than clock.max_ahead after the receipt at {}", time,
                         now);
    case Outcome::past_timestamp:
      if (!rule_.max_behind || -ahead <= *rule_.max_behind) return {};
      return fmt::format("timestamp {} is more than clock.max_behind before the receipt at {}",
                         time, now);
    case Outcome::too_late:
      return fmt::format(
          "timestamp {} is not after what has left the window of its device (order.horizon, "
          "order.window_max)",
          time);
    default:
      return {};
  }
}

std::string RejectReasons::device_of(const Record& record) {
  decoder_.reset();
  const Decoded decoded = decoder_.decode(record);
  return std::string(decoded.event.device);
}

}  // namespace dwell
