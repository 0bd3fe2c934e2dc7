// Any bytes as a device's state: refused, or a state that the rule can go on from and that is
// written as the very same bytes again.
#include <string>

#include "base/check.h"
#include "core/state_record.h"

namespace dwell {
namespace {

template <typename State>
std::string encoded(const State& state) {
  std::string record;
  encode_state(state, record);
  return record;
}

template <std::size_t kCapacity>
std::optional<Timestamp> a_known_time(const ArrivalState<kCapacity>& state) {
  const auto newest = state.recent(0);
  return newest ? std::optional(newest->timestamp) : std::nullopt;
}

std::optional<Timestamp> a_known_time(const EventTimeState& state) {
  if (state.window.empty()) return std::nullopt;
  return state.window[state.window.size() / 2].timestamp();
}

// Events around a time the state knows, where they meet what is in it.
template <typename State>
void go_on(State& state, const Rule& rule) {
  const Timestamp middle = a_known_time(state).value_or(kEarliest);
  for (const int step : {0, 0, -1, 1}) {
    for (const EventType type : {EventType::enter, EventType::exit}) {
      const Timestamp time = middle + Milliseconds{step};
      if (in_range(time)) state.decide({"cam", time, type}, time, rule);
    }
  }
}

template <typename State>
void fuzz(const std::string& bytes, Order order) {
  State state;
  if (!decode_state(bytes, state)) return;
  CHECK(encoded(state) == bytes);
  Rule rule;
  rule.order = order;
  rule.duplicate_window = 2;
  go_on(state, rule);
  State again;
  CHECK(decode_state(encoded(state), again));
  CHECK(again == state);
}

}  // namespace
}  // namespace dwell

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  dwell::fuzz<dwell::ArrivalState<64>>(bytes, dwell::Order::arrival);
  dwell::fuzz<dwell::EventTimeState>(bytes, dwell::Order::event_time);
  return 0;
}
