#pragma once

#include <optional>
#include <string>

#include "app/commands/line_numbers.h"
#include "core/reject_reason.h"
#include "ports/store_report.h"

namespace dwell {

// What can be told of a record besides what is stored.
struct Told {
  std::string detail;                 // why it was rejected, under the settings of now
  std::string device;                 // empty: nobody knows
  std::optional<std::uint64_t> line;  // of its file
};

Told tell_of(const RejectedRecord& rejected, RejectReasons& reasons, LineNumbers& lines);

// Where it stands, as editors take it: FILE:LINE; without a line, FILE@OFFSET.
std::string place_of(const RejectedRecord& record, const Told& told);

}  // namespace dwell
