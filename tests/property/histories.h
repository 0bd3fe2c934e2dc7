#pragma once

#include <fmt/format.h>
#include <ostream>
#include <rapidcheck.h>
#include <string>
#include <vector>

#include "core/rule.h"
#include "tests/fakes/scripted_source.h"

namespace dwell {

// One event of a random history, received at `now`.
struct Arrival {
  int device;
  std::int64_t timestamp;
  EventType type;
  std::int64_t now;
};
using History = std::vector<Arrival>;

inline std::string device_name(int device) {
  return fmt::format("cam-{}", device);
}

inline ScriptedRecord record_of(const Arrival& arrival) {
  return event_record(device_name(arrival.device), arrival.type, arrival.timestamp, arrival.now);
}

inline void showValue(const Arrival& arrival, std::ostream& out) {
  out << device_name(arrival.device) << (arrival.type == EventType::enter ? " E" : " X")
      << arrival.timestamp << " now " << arrival.now;
}

inline void showValue(const Rule& rule, std::ostream& out) {
  const auto limit = [](const std::optional<Milliseconds>& value) {
    return value ? std::to_string(value->count()) : "off";
  };
  out << fmt::format(
      "version {}, order {}, first_exit {}, duplicate_window {}, window_max {}, horizon {}, clock "
      "{}, "
      "max_ahead {}, max_behind {}",
      rule.version, name(rule.order), rule.first_exit == FirstExit::accept ? "accept" : "suppress",
      rule.duplicate_window, rule.window_max, rule.horizon.count(),
      rule.clock_source == ClockSource::event ? "event" : "received", limit(rule.max_ahead),
      limit(rule.max_behind));
}

// Few devices and few milliseconds, so that events meet; now and then one from the far ends.
inline rc::Gen<Arrival> any_arrival(std::int64_t last_ms = 25) {
  const auto near = rc::gen::inRange<std::int64_t>(0, last_ms);
  const auto far = rc::gen::element<std::int64_t>(to_ms(kEarliest), to_ms(kLatest), 1'000, 2'000);
  return rc::gen::build<Arrival>(
      rc::gen::set(&Arrival::device, rc::gen::inRange(0, 3)),
      rc::gen::set(&Arrival::timestamp,
                   rc::gen::weightedOneOf<std::int64_t>({{30, near}, {1, far}})),
      rc::gen::set(&Arrival::type, rc::gen::element(EventType::enter, EventType::exit)),
      rc::gen::set(&Arrival::now, rc::gen::inRange<std::int64_t>(0, 2 * last_ms)));
}

inline rc::Gen<History> any_history() {
  return rc::gen::container<History>(any_arrival());
}

inline rc::Gen<std::optional<Milliseconds>> any_limit() {
  return rc::gen::weightedElement<std::optional<Milliseconds>>(
      {{3, std::nullopt}, {1, Milliseconds{0}}, {1, Milliseconds{7}}, {1, Milliseconds{20}}});
}

// Any rule under `order`, with windows and horizons as short as the histories.
inline rc::Gen<Rule> any_rule(Order order) {
  return rc::gen::build<Rule>(
      rc::gen::set(&Rule::version, rc::gen::element(1u, 2u)),
      rc::gen::set(&Rule::time, rc::gen::just(TimeFormat{TimeUnit::ms, kEarliest})),
      rc::gen::set(&Rule::order, rc::gen::just(order)),
      rc::gen::set(&Rule::first_exit, rc::gen::element(FirstExit::accept, FirstExit::suppress)),
      rc::gen::set(&Rule::duplicate_window, rc::gen::element(0u, 1u, 2u, 4u, 5u, 16u, 17u, 64u)),
      rc::gen::set(&Rule::window_max, rc::gen::element(1u, 2u, 3u, 5u, 8u, 1024u)),
      rc::gen::set(&Rule::horizon, rc::gen::map(rc::gen::element(0, 1, 5, 12, 100, 86'400'000),
                                                [](int ms) { return Milliseconds{ms}; })),
      rc::gen::set(&Rule::max_ahead, any_limit()), rc::gen::set(&Rule::max_behind, any_limit()));
}

// A rule under which nothing is ever refused.
inline Rule generous(Rule rule) {
  rule.window_max = kLargestWindow;
  rule.horizon = kLatest - kEarliest;
  rule.max_ahead.reset();
  rule.max_behind.reset();
  return rule;
}

}  // namespace dwell
