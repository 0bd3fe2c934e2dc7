#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "core/event.h"
#include "core/record.h"
#include "core/rule.h"

namespace dwell::golden {

struct DeviceChange {
  std::string device;
  Change change;
};

// One record and what must come of it at once.
struct Step {
  int line;  // of the record in its file
  std::string bytes;
  Timestamp now;
  std::uint64_t truncated_from = 0;
  Outcome outcome = Outcome::accepted;
  std::string ignored_type;  // with Outcome::ignored: the name it is counted under
  std::vector<DeviceChange> changes;
};

struct ListedRow {
  std::string device;
  EventType type;
  Timestamp timestamp;
};

// Presence after the last row; no type: the device has no rows.
struct ListedState {
  std::string device;
  std::optional<EventType> type;
  Timestamp since{};
};

// A golden case: behaviour as data, told without any runtime. README.md is the format.
struct CaseFile {
  std::string name;  // the file's, without its folder and ending
  Rule rule;
  std::vector<Step> steps;
  std::vector<ListedRow> rows;
  std::vector<ListedState> states;
  std::map<std::string, std::uint64_t> totals;
};

// Reads a case. Every line must be known, and every record must have an effect: anything else is
// `invalid`, naming file and line.
Result<CaseFile> parse_case(const std::string& file, std::string_view text);
Result<CaseFile> load_case(const std::string& path);

// "enter" or "exit".
std::string_view short_name(EventType type);

}  // namespace dwell::golden
