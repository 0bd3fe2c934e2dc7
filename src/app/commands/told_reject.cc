#include "app/commands/told_reject.h"

#include <fmt/format.h>

#include "base/printable.h"
#include "kafka/topics/rejected_topic.h"

namespace dwell {
namespace {

constexpr std::string_view kPosted = "http";  // the source of records that POST brought

// The last part of a path; the whole one is in the JSON form.
std::string_view file_name(std::string_view source) {
  return source.substr(source.find_last_of('/') + 1);
}

}  // namespace

Told tell_of(const RejectedRecord& rejected, RejectReasons& reasons, LineNumbers& lines) {
  const Record record{.bytes = rejected.bytes,
                      .offset = rejected.offset,
                      .now = rejected.received,
                      .truncated_from = rejected.truncated_from,
                      .is_documented_form = rejected.source == kPosted};
  Told told;
  if (const auto outcome = reason_of(rejected.reason)) {
    told.detail = reasons.explain(record, *outcome);
  }
  if (told.detail.empty()) told.detail = "under the settings of now it would be taken";
  told.device = reasons.device_of(record);
  told.line = lines.line_of(rejected.source, rejected.offset, rejected.bytes);
  return told;
}

std::string place_of(const RejectedRecord& record, const Told& told) {
  const auto file = printable(file_name(record.source));
  return told.line ? fmt::format("{}:{}", file, *told.line)
                   : fmt::format("{}@{}", file, record.offset);
}

}  // namespace dwell
