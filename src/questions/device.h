#pragma once

#include <optional>
#include <string>

#include "ports/row_reader.h"

namespace dwell {

// What is known of one device. Presence is folded from its rows, as everywhere.
struct DeviceReport {
  std::optional<Row> last_run;  // the head of its last run; empty: no enter, no exit
  // The first enter or exit; else the first row of another type; without rows, last_seen.
  Timestamp first_seen;
  std::optional<OutcomeSummary> outcomes;  // last_seen included; empty: not known (yet)
};

// One moment of the store; empty for a device never seen. Errors: those of the reader.
boost::asio::awaitable<Result<std::optional<DeviceReport>>> device_report(RowReader& reader,
                                                                          const std::string& id);

}  // namespace dwell
