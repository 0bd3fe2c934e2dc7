// Whatever is written is read back as it was.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/varint.h"
#include "core/state_record.h"
#include "tests/property/histories.h"

namespace dwell {
namespace {

template <typename State>
State state_after(const Rule& rule, const History& history) {
  State state;
  for (const Arrival& arrival : history) {
    state.decide({"cam", from_ms(arrival.timestamp), arrival.type}, from_ms(arrival.now), rule);
  }
  return state;
}

template <typename State>
std::string encoded(const State& state) {
  std::string record;
  encode_state(state, record);
  return record;
}

template <typename State>
void expect_round_trip(const State& state) {
  const std::string record = encoded(state);
  State read;
  RC_ASSERT(decode_state(record, read).has_value());
  RC_ASSERT(read == state);
  RC_ASSERT(encoded(read) == record);
  // Nothing may be missing and nothing left over.
  State cut;
  RC_ASSERT(!decode_state(std::string_view(record).substr(0, record.size() - 1), cut));
  State longer;
  RC_ASSERT(!decode_state(record + '\0', longer));
}

template <std::size_t kCapacity>
void expect_arrival_round_trip() {
  Rule rule = *any_rule(Order::arrival);
  rule.duplicate_window = std::min<std::uint32_t>(rule.duplicate_window, kCapacity);
  expect_round_trip(state_after<ArrivalState<kCapacity>>(rule, *any_history()));
}

RC_GTEST_PROP(StateRecord, RoundTripsInArrivalOrder, ()) {
  expect_arrival_round_trip<4>();
  expect_arrival_round_trip<16>();
  expect_arrival_round_trip<64>();
}

RC_GTEST_PROP(StateRecord, RoundTripsInEventTimeOrder, ()) {
  expect_round_trip(state_after<EventTimeState>(*any_rule(Order::event_time), *any_history()));
}

RC_GTEST_PROP(StateRecord, AShorterMemoryKeepsTheNewestEvents, ()) {
  Rule rule = *any_rule(Order::arrival);
  rule.duplicate_window = 64;
  const auto longer = state_after<ArrivalState<64>>(rule, *any_history());
  ArrivalState<4> shorter;
  RC_ASSERT(decode_state(encoded(longer), shorter).has_value());
  for (std::size_t i = 0; i < 4; ++i) {
    const auto expected = longer.recent(i);
    const auto kept = shorter.recent(i);
    RC_ASSERT(kept.has_value() == expected.has_value());
    RC_ASSERT(!kept || (kept->timestamp == expected->timestamp && kept->type == expected->type));
  }
}

RC_GTEST_PROP(StateRecord, TheOtherOrderIsRefused, ()) {
  const auto state = state_after<ArrivalState<4>>(*any_rule(Order::arrival), {});
  EventTimeState other;
  RC_ASSERT(decode_state(encoded(state), other).error().kind == ErrorKind::fatal);
}

// Windows the rule cannot have made, and could not go on from.
TEST(StateRecord, AMillisecondWithWrongTiesIsRefused) {
  struct Entry {
    std::uint8_t tie;
    EventType type;
  };
  const std::vector<std::vector<Entry>> windows = {
      {{1, EventType::enter}},
      {{0, EventType::enter}, {0, EventType::exit}},
      {{0, EventType::enter}, {1, EventType::enter}},
      {{0, EventType::enter}, {1, EventType::enter}, {1, EventType::exit}}};
  for (const auto& entries : windows) {
    EventTimeState state;
    for (const Entry& entry : entries) {
      state.window.insert(state.window.size(), from_ms(1'000), entry.tie, entry.type);
    }
    EventTimeState read;
    EXPECT_FALSE(decode_state(encoded(state), read)) << entries.size() << " entries";
  }
}

rc::Gen<Timestamp> any_timestamp() {
  const auto whole_range = rc::gen::inRange<std::int64_t>(0, to_ms(kLatest) + 1);
  const auto ends =
      rc::gen::element<std::int64_t>(0, 1, 999, 1'000, to_ms(kLatest) - 999, to_ms(kLatest));
  return rc::gen::map(rc::gen::weightedOneOf<std::int64_t>({{9, whole_range}, {1, ends}}), from_ms);
}

RC_GTEST_PROP(Rfc3339, RoundTrips, ()) {
  const Timestamp time = *any_timestamp();
  const std::string text = format_rfc3339(time);
  RC_ASSERT(parse_rfc3339(text) == time);
  RC_ASSERT(text.size() == (to_ms(time) % 1'000 == 0 ? 20u : 24u));
}

// The same instant, written the way another sender might.
RC_GTEST_PROP(Rfc3339, OffsetsCaseAndDigitsAreUnderstood, ()) {
  const auto offset = *rc::gen::inRange(-23 * 60 - 59, 24 * 60);
  const Timestamp time = *any_timestamp();
  const Timestamp local = time + std::chrono::minutes(offset);
  RC_PRE(in_range(local));
  std::string text = format_rfc3339(std::chrono::floor<std::chrono::seconds>(local));
  text.pop_back();
  if (*rc::gen::arbitrary<bool>()) text[10] = 't';
  const auto finer = *rc::gen::element("", "9", "000001", "999999999");
  text += fmt::format(".{:03}{}", to_ms(local) % 1'000, finer);
  const auto minutes = std::abs(offset);
  text += offset == 0
              ? "z"
              : fmt::format("{}{:02}:{:02}", offset < 0 ? '-' : '+', minutes / 60, minutes % 60);
  RC_ASSERT(parse_rfc3339(text) == time);
}

RC_GTEST_PROP(Varint, RoundTripsInItsShortestForm, (std::uint64_t value)) {
  const auto shift = *rc::gen::inRange(0, 64);
  value >>= shift;
  std::string bytes;
  put_varint(bytes, value);
  std::string_view rest = bytes;
  RC_ASSERT(take_varint(rest) == value);
  RC_ASSERT(rest.empty());
  RC_ASSERT(unzigzag(zigzag(static_cast<std::int64_t>(value))) == static_cast<std::int64_t>(value));
  // The same value in a longer form is none.
  bytes.back() = static_cast<char>(bytes.back() | 0x80);
  bytes.push_back('\0');
  rest = bytes;
  RC_ASSERT(!take_varint(rest));
}

}  // namespace
}  // namespace dwell
