#include "kafka/flow/marker.h"

#include "base/byte_reader.h"

namespace dwell {
namespace {

constexpr std::size_t kLongestName = 1'000;

void put_text(std::string& out, std::string_view text) {
  put_varint(out, text.size());
  out += text;
}

// Zero for none, else the duration plus one.
void put_limit(std::string& out, const std::optional<Milliseconds>& limit) {
  put_varint(out, limit ? static_cast<std::uint64_t>(limit->count()) + 1 : 0);
}

std::optional<Milliseconds> take_limit(ByteReader& reader) {
  const auto value = reader.number(INT64_MAX);
  if (value == 0) return std::nullopt;
  return Milliseconds(static_cast<std::int64_t>(value - 1));
}

void put_rule(std::string& out, const Rule& rule) {
  out.push_back(static_cast<char>(rule.order));
  out.push_back(static_cast<char>(rule.first_exit));
  out.push_back(static_cast<char>(rule.clock_source));
  put_varint(out, rule.duplicate_window);
  put_varint(out, rule.window_max);
  put_varint(out, static_cast<std::uint64_t>(rule.horizon.count()));
  put_limit(out, rule.max_ahead);
  put_limit(out, rule.max_behind);
}

Rule take_rule(ByteReader& reader) {
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

void put_totals(std::string& out, const Totals& totals) {
  put_varint(out, totals.outcomes.size());
  for (const std::uint64_t count : totals.outcomes) put_varint(out, count);
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
  reader.require(reader.number() == kOutcomeCount);
  for (std::uint64_t& count : totals.outcomes) count = reader.number();
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
  out.push_back(static_cast<char>(kMarkerVersion));
  put_varint(out, marker.rule_version);
  put_rule(out, marker.rule);
  put_text(out, marker.cluster);
  put_text(out, marker.topic);
  put_varint(out, static_cast<std::uint64_t>(marker.next));
  put_totals(out, marker.totals);
  put_varint(out, marker.devices);
}

Result<Marker> decode_marker(std::string_view record) {
  ByteReader reader(record);
  const auto version = reader.byte();
  if (reader.is_sound() && version != kMarkerVersion) {
    return fail(ErrorKind::fatal,
                "the marker has version {}, this binary reads version {}: use the release that "
                "wrote it",
                version, kMarkerVersion);
  }
  Marker marker;
  marker.rule_version = reader.number();
  marker.rule = take_rule(reader);
  marker.cluster = reader.text(kLongestName);
  marker.topic = reader.text(kLongestName);
  marker.next = static_cast<Offset>(reader.number(INT64_MAX));
  marker.totals = take_totals(reader);
  marker.devices = reader.number();
  if (!reader.is_complete()) return fail(ErrorKind::fatal, "the marker is damaged");
  return marker;
}

bool is_same(const Rule& a, const Rule& b) {
  std::string one, other;
  put_rule(one, a);
  put_rule(other, b);
  return one == other;
}

}  // namespace dwell
