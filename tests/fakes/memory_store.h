#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/record.h"
#include "core/row.h"
#include "core/rule.h"
#include "core/totals.h"
#include "ports/store_report.h"
#include "tests/fakes/fault_plan.h"

namespace dwell {

// What a committer keeps, as plain values: the disk of the memory fakes. It outlives them as a file
// outlives a process, and a copy of it is what a crash at that moment would have left behind.
struct MemoryStore {
  struct Device {
    std::string id;
    std::string state;      // the state record
    std::vector<Row> rows;  // in row order
  };

  std::optional<Order> order;
  std::vector<Device> devices;  // by number
  std::map<std::string, Position> positions;
  Totals totals;
  std::uint64_t absorbed = 0;
  std::uint64_t faults = 0;
  std::uint64_t known_late = 0;
  std::uint64_t late = 0;
  std::deque<RejectedRecord> rejected;  // by id
  std::int64_t last_reject_id = 0;
  std::uint64_t reject_bytes = 0;
  std::uint64_t rejects_dropped = 0;

  bool is_open = false;  // a committer has it
  FaultPlan commits;     // which calls of commit() fail, whoever makes them
  FaultPlan restores;
};

}  // namespace dwell
