#include "kafka/flow/marker.h"

#include "base/byte_reader.h"
#include "core/member_tree.h"

namespace dwell {
namespace {

constexpr std::size_t kLongestName = 1'000;

// Zero for none, else the duration plus one.
void put_limit(std::string& out, const std::optional<Milliseconds>& limit) {
  put_varint(out, limit ? static_cast<std::uint64_t>(limit->count()) + 1 : 0);
}

std::optional<Milliseconds> take_limit(ByteReader& reader) {
  const auto value = reader.number(INT64_MAX);
  if (value == 0) return std::nullopt;
  return Milliseconds(static_cast<std::int64_t>(value - 1));
}

void put_rule_1(std::string& out, const Rule& rule) {
  out.push_back(static_cast<char>(rule.order));
  out.push_back(static_cast<char>(rule.first_exit));
  out.push_back(static_cast<char>(rule.clock_source));
  put_varint(out, rule.duplicate_window);
  put_varint(out, rule.window_max);
  put_varint(out, static_cast<std::uint64_t>(rule.horizon.count()));
  put_limit(out, rule.max_ahead);
  put_limit(out, rule.max_behind);
}

Rule take_rule_1(ByteReader& reader) {
  Rule rule;
  const auto choice = [&] {
    const auto value = reader.byte();
    reader.require(value <= 1);
    return value <= 1 ? value : 0;
  };
  rule.order = static_cast<Order>(choice());
  rule.first_exit = static_cast<FirstExit>(choice());
  rule.clock_source = static_cast<ClockSource>(choice());
  rule.duplicate_window = static_cast<std::uint32_t>(reader.number(kLargestDuplicateWindow));
  rule.window_max = static_cast<std::uint32_t>(reader.number(kLargestWindow));
  reader.require(rule.window_max >= 1);
  rule.horizon = Milliseconds(static_cast<std::int64_t>(reader.number(INT64_MAX)));
  rule.max_ahead = take_limit(reader);
  rule.max_behind = take_limit(reader);
  return rule;
}

void put_texts(std::string& out, const std::vector<std::string>& texts) {
  put_varint(out, texts.size());
  for (const std::string& text : texts) put_text(out, text);
}

std::vector<std::string> take_texts(ByteReader& reader, std::size_t most) {
  std::vector<std::string> texts;
  const auto count = reader.number(most);
  for (std::uint64_t i = 0; i < count && reader.is_sound(); ++i) {
    texts.emplace_back(reader.text(kLongestName));
  }
  return texts;
}

// In the byte of the time unit: a time zone stands behind it.
constexpr unsigned char kHasZone = 16;

// What rule 2 has on top.
void put_rule_2(std::string& out, const Rule& rule) {
  const TimeZone zone = rule.time.zone;
  out.push_back(static_cast<char>(static_cast<int>(rule.time.unit) + (zone ? kHasZone : 0)));
  if (zone) {
    put_text(out, zone.name());
    put_text(out, zone.version());
  }
  put_varint(out, static_cast<std::uint64_t>(to_ms(rule.time.earliest)));
  put_texts(out, rule.mapping.device_id);
  put_texts(out, rule.mapping.event_type);
  put_texts(out, rule.mapping.timestamp);
  put_texts(out, rule.mapping.enter);
  put_texts(out, rule.mapping.exit);
  out.push_back(static_cast<char>(rule.mapping.id_spelling));
}

// `zone`: the name of the time zone, empty for none.
void take_rule_2(ByteReader& reader, Marker& marker, std::string& zone) {
  Rule& rule = marker.rule;
  const auto first = reader.byte();
  const auto unit = static_cast<unsigned char>(first & ~kHasZone);
  reader.require(unit <= static_cast<unsigned char>(TimeUnit::ns));
  rule.time.unit = static_cast<TimeUnit>(unit);
  if ((first & kHasZone) != 0) {
    zone = reader.text(kLongestName);
    marker.tzdata = reader.text(kLongestName);
    reader.require(!zone.empty());
  }
  rule.time.earliest =
      from_ms(static_cast<std::int64_t>(reader.number(static_cast<std::uint64_t>(to_ms(kLatest)))));
  Mapping& mapping = rule.mapping;
  for (auto* places : {&mapping.device_id, &mapping.event_type, &mapping.timestamp}) {
    *places = take_texts(reader, kMostAlternatives);
    for (const auto& place : *places) {
      reader.require(!parts_of_place(place, places == &mapping.device_id).empty());
    }
  }
  mapping.enter = take_texts(reader, kMostTypes);
  mapping.exit = take_texts(reader, kMostTypes);
  const auto spelling = reader.byte();
  reader.require(spelling <= static_cast<unsigned char>(IdSpelling::mac));
  mapping.id_spelling = static_cast<IdSpelling>(spelling);
  reader.require(MemberTree::slots_of(mapping) <= MemberTree::kMostSlots);
}

// The outcomes that rule 1 has: the first ones.
constexpr std::size_t kOutcomesOfRule1 = 13;

void put_totals(std::string& out, const Totals& totals, std::size_t outcomes) {
  put_varint(out, outcomes);
  for (std::size_t i = 0; i < outcomes; ++i) put_varint(out, totals.outcomes[i]);
  put_varint(out, totals.promoted);
  put_varint(out, totals.retracted);
  put_varint(out, totals.ignored_types.size());
  for (const auto& [type, count] : totals.ignored_types) {
    put_text(out, type);
    put_varint(out, count);
  }
}

Totals take_totals(ByteReader& reader) {
  Totals totals;
  const auto outcomes = reader.number(kOutcomeCount);
  for (std::size_t i = 0; i < outcomes; ++i) totals.outcomes[i] = reader.number();
  totals.promoted = reader.number();
  totals.retracted = reader.number();
  const auto types = reader.number(Totals::kNamedTypes + 1);
  for (std::uint64_t i = 0; i < types && reader.is_sound(); ++i) {
    std::string type(reader.text(Totals::kLongestNamedType));
    totals.ignored_types.push_back({std::move(type), reader.number()});
  }
  return totals;
}

}  // namespace

void encode_marker(const Marker& marker, std::string& out) {
  const bool is_rule_1 = marker.rule.version == 1;
  out.push_back(is_rule_1 ? 1 : static_cast<char>(kMarkerVersion));
  put_varint(out, marker.rule.version);
  put_rule_1(out, marker.rule);
  if (!is_rule_1) {
    put_rule_2(out, marker.rule);
    put_varint(out, marker.record_bytes);
  }
  put_text(out, marker.cluster);
  put_text(out, marker.topic);
  put_varint(out, static_cast<std::uint64_t>(marker.next));
  put_totals(out, marker.totals, is_rule_1 ? kOutcomesOfRule1 : kOutcomeCount);
  put_varint(out, marker.devices);
}

Result<Marker> decode_marker(std::string_view record) {
  ByteReader reader(record);
  const auto version = reader.byte();
  if (reader.is_sound() && (version < 1 || version > kMarkerVersion)) {
    return fail(ErrorKind::fatal,
                "the marker has version {}, this binary reads 1 to {}: use the release that wrote "
                "it",
                version, kMarkerVersion);
  }
  Marker marker;
  std::string zone;
  const auto rule_version = static_cast<std::uint32_t>(reader.number(UINT32_MAX));
  marker.rule = take_rule_1(reader);
  marker.rule.version = rule_version;
  if (version != 1) {
    take_rule_2(reader, marker, zone);
    marker.record_bytes = reader.number(SIZE_MAX);
  }
  marker.cluster = reader.text(kLongestName);
  marker.topic = reader.text(kLongestName);
  marker.next = static_cast<Offset>(reader.number(INT64_MAX));
  marker.totals = take_totals(reader);
  marker.devices = reader.number();
  if (!reader.is_complete()) return fail(ErrorKind::fatal, "the marker is damaged");
  if (!zone.empty()) {
    const auto loaded = TimeZone::load(zone);
    if (!loaded) {
      return fail(ErrorKind::fatal, "the marker has input.time_zone = {}: {}", zone,
                  loaded.error().message);
    }
    marker.rule.time.zone = *loaded;
  }
  return marker;
}

}  // namespace dwell
