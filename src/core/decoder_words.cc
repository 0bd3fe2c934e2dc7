// What the decoder says of a record to people.
#include <fmt/format.h>

#include "base/printable.h"
#include "core/decoder.h"

namespace dwell {
namespace {

constexpr std::size_t kColumns = 60;  // of what others wrote
constexpr std::string_view kDevice = "device_id", kType = "event_type", kTime = "timestamp";

}  // namespace

const std::vector<std::string>& Decoder::places_of(std::string_view member) const {
  const Mapping& mapping = form_->mapping;
  return member == kDevice ? mapping.device_id
         : member == kType ? mapping.event_type
                           : mapping.timestamp;
}

std::string Decoder::words_of_fault() const {
  if (fault_.found.empty()) {
    return fmt::format("is missing: looked for {}", fmt::join(places_of(fault_.member), ", "));
  }
  return fmt::format("{} {}", printable(fault_.found, kColumns), fault_.reason);
}

std::string Decoder::explain(const Record& record) {
  fault_ = {};
  explains_ = true;
  const Decoded decoded = decode(record);
  explains_ = false;
  if (!is_rejected(decoded.outcome)) return {};
  if (decoded.outcome == Outcome::too_large) {
    return fmt::format("the record has {} bytes, more than input.max_record",
                       record.truncated_from);
  }
  if (fault_.member.empty()) {
    const bool is_array = record.bytes.starts_with('[');
    const std::string_view what =
        is_array ? "an array, and one record is one event" : "no JSON object";
    return record.bytes.empty()
               ? "the record is empty"
               : fmt::format("the record is {}: {}", what, printable(record.bytes, kColumns));
  }
  return fmt::format("{} {}", fault_.member, words_of_fault());
}

std::vector<MemberReading> Decoder::inspect(const Record& record) {
  FoundMembers members;
  if (record.truncated_from != 0 || !find_members(record, members)) return {};
  const unsigned base = form_->tree.base(members.found);
  // Where one of them stands, and its token if it is one whole value.
  const auto look = [&](std::string_view name, const std::vector<MemberTree::Way>& ways,
                        std::string_view& token) {
    MemberReading reading{.name = name};
    const auto* way = way_found(ways, members.found >> base);
    if (!way) return reading;
    reading.place = places_of(name)[static_cast<std::size_t>(way - ways.data())];
    if (base != 0) reading.place += " in /payload";
    for (const auto& part : way->parts) {
      if (part.slot == MemberTree::kNoSlot) continue;
      token = members.token(part.slot + base);
      if (!reading.found.empty()) reading.found += ", ";
      reading.found += token;
    }
    return reading;
  };
  const auto judge = [&](MemberReading& reading, Outcome outcome, auto value) {
    if (is_rejected(outcome)) {
      reading.reason = words_of_fault();
    } else {
      reading.value = value();
    }
  };

  std::vector<MemberReading> readings;
  Decoded decoded{};
  explains_ = true;
  std::string_view id_token, type_token, time_token;
  auto& device = readings.emplace_back(look(kDevice, form_->tree.device_id(), id_token));
  judge(device, device_id_of(members, base, decoded.event.device),
        [&] { return std::string(decoded.event.device); });
  auto& type = readings.emplace_back(look(kType, form_->tree.event_type(), type_token));
  const auto type_outcome = type_of(type_token, decoded);
  judge(type, type_outcome, [&] {
    return std::string(type_outcome == Outcome::ignored ? "" : wire_name(decoded.event.type));
  });
  if (type_outcome == Outcome::ignored) {
    type.reason = fmt::format("{} is neither in input.enter nor in input.exit",
                              printable(type_token, kColumns));
  }
  if (clock_source_ != ClockSource::received) {
    auto& time = readings.emplace_back(look(kTime, form_->tree.timestamp(), time_token));
    judge(time, timestamp_of(time_token, decoded.event.timestamp),
          [&] { return format_rfc3339(decoded.event.timestamp); });
  }
  explains_ = false;
  return readings;
}

}  // namespace dwell
