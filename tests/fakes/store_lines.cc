#include "tests/fakes/store_lines.h"

#include <algorithm>
#include <fmt/format.h>

#include "tests/fakes/questions.h"

namespace dwell {
namespace {

std::string hex(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return text;
}

void add_totals(const Totals& totals, Lines& lines) {
  for (std::size_t i = 0; i < kOutcomeCount; ++i) {
    lines.push_back(fmt::format("{}: {}", kOutcomeNames[i], totals.outcomes[i]));
  }
  lines.push_back(fmt::format("promoted: {}, retracted: {}", totals.promoted, totals.retracted));
  for (const auto& ignored : totals.ignored_types) {
    lines.push_back(fmt::format("ignored {}: {}", ignored.type, ignored.count));
  }
}

template <typename T>
Lines trouble(const Result<T>& failed) {
  return {fmt::format("{}: {}", name(failed.error().kind), failed.error().message)};
}

}  // namespace

Lines lines_of(const Fold& fold, std::span<const Position> positions) {
  Lines lines;
  for (DeviceIndex i = 0; i < fold.device_count(); ++i) {
    std::string state;
    fold.encode_state(i, state);
    lines.push_back(fmt::format("state of {}: {}", fold.device_id(i), hex(state)));
  }
  for (const Position& position : positions) {
    lines.push_back(
        fmt::format("position of {}: {} {}", position.source, position.next, hex(position.mark)));
  }
  std::sort(lines.begin(), lines.end());
  add_totals(fold.totals(), lines);
  return lines;
}

Lines lines_of(RowReader& reader, StoreReport& report, std::span<const std::string> devices) {
  Lines lines;
  boost::asio::io_context context(1);
  Questions answers(context, reader);
  for (const std::string& device : devices) {
    TimelineQuery query;
    query.device = device;
    const auto rows = answers.timeline(query);
    if (!rows) return trouble(rows);
    for (const Row& row : *rows) {
      lines.push_back(fmt::format("row of {}: {} {} rank {} seq {}", device, to_ms(row.timestamp),
                                  wire_name(row.type), row.rank, row.seq));
    }
  }
  const auto rejected = report.rejected({});
  if (!rejected) return trouble(rejected);
  for (const RejectedRecord& record : *rejected) {
    lines.push_back(fmt::format("rejected {}: {} {} {} at {} of {}: {}", record.id, record.reason,
                                record.source, record.offset, to_ms(record.received),
                                record.truncated_from, hex(record.bytes)));
  }
  const auto totals = report.totals();
  if (!totals) return trouble(totals);
  lines.push_back(
      fmt::format("order {}, {} devices, {} rows, {} absorbed, {} faults, {} late, {} known",
                  name(totals->order), totals->devices, totals->rows, totals->absorbed,
                  totals->faults, totals->late, totals->known_late));
  lines.push_back(fmt::format("rejected records: {} kept, {} dropped", totals->rejects_kept,
                              totals->rejects_dropped));
  add_totals(totals->totals, lines);
  return lines;
}

std::vector<std::string> devices_of(const Fold& fold) {
  std::vector<std::string> devices;
  for (DeviceIndex i = 0; i < fold.device_count(); ++i) devices.emplace_back(fold.device_id(i));
  return devices;
}

Script mixed_script() {
  constexpr auto enter = EventType::enter;
  constexpr auto exit = EventType::exit;
  const std::string long_id(kLongestDeviceId, 'x');
  return {
      event_record("cam-1", enter, 1000, 1000),
      event_record("cam-2", exit, 1000, 1001),
      event_record("cam-1", enter, 1000, 1002),  // redelivered
      raw_record(R"({"event_type":"heartbeat"})", 1003),
      event_record("cam-1", exit, 2000, 2000),
      raw_record("not json \x00\xff", 2001),
      event_record("cam-1", exit, 2000, 2002),
      event_record("cam-1", enter, 1500, 2003),  // late
      event_record("cam-1", exit, 1200, 2004),   // late, and a correction by event time
      event_record("tür-3", enter, 2500, 2500),
      raw_record(R"({"device_id":"","event_type":"device_exit","timestamp":1})", 2501),
      event_record("cam-2", enter, 3000, 3000),
      event_record("cam-2", exit, 3000, 3000),  // two in one millisecond
      event_record("cam-2", enter, 4000, 4000),
      {R"({"device_id":"cam-1","event_ty)", from_ms(4001), 9000},  // too large
      raw_record(R"({"event_type":"status_update"})", 4002),
      raw_record(R"({"event_type":"heartbeat"})", 4003),
      event_record(long_id, exit, 4500, 4500),
      event_record("cam-1", exit, 5000, 5000),
      event_record("cam-1", enter, 6000, 6000),
      event_record("cam-1", exit, 7000, 7000),
      event_record("cam-1", enter, 10, 7001),           // too late by event time
      event_record("cam-2", enter, 900'000'000, 7002),  // far in the future
      event_record("cam-1", enter, 8000, 8000),
  };
}

Rule small_rule(Order order) {
  Rule rule;
  rule.order = order;
  rule.window_max = 4;
  return rule;
}

}  // namespace dwell
