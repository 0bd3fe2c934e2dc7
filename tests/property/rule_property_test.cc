// The rule against the models, and what it promises about reorderings and redelivery.
#include <gtest/gtest.h>
#include <map>
#include <rapidcheck/gtest.h>
#include <set>

#include "core/fold.h"
#include "tests/property/histories.h"
#include "tests/property/models.h"

namespace dwell {
namespace {

// The rows of one device, made by applying changes as a store does.
class AppliedRows {
 public:
  void apply(const Change& change, Order order) {
    RC_ASSERT(change.seq == ++seq_);
    const auto same = std::find_if(rows_.begin(), rows_.end(), [&](const ModelRow& row) {
      return row.timestamp == to_ms(change.timestamp) && row.type == change.type;
    });
    if (change.operation == Operation::retract) {
      RC_ASSERT(same != rows_.end());
      rows_.erase(same);
    } else if (same == rows_.end()) {
      rows_.push_back({to_ms(change.timestamp), change.rank, change.type});
    } else {
      RC_ASSERT(order == Order::arrival);  // a copy older than the duplicate window
    }
  }

  std::vector<ModelRow> sorted() const {
    auto rows = rows_;
    std::sort(rows.begin(), rows.end());
    return rows;
  }

 private:
  std::vector<ModelRow> rows_;
  std::uint64_t seq_ = 0;
};

std::optional<Outcome> refused_by_clock(const Arrival& arrival, const Rule& rule) {
  const Milliseconds ahead{arrival.timestamp - arrival.now};
  if (rule.max_ahead && ahead > *rule.max_ahead) return Outcome::future_timestamp;
  if (rule.max_behind && -ahead > *rule.max_behind) return Outcome::past_timestamp;
  return std::nullopt;
}

// With first_exit = suppress, an exit before anything else has a reason of its own.
bool is_same_outcome(Outcome real, Outcome model, const Rule& rule) {
  const bool may_be_initial = rule.order == Order::event_time &&
                              rule.first_exit == FirstExit::suppress &&
                              model == Outcome::repeated_exit;
  return real == model || (may_be_initial && real == Outcome::initial_exit);
}

template <typename Model>
bool is_own_or_successor(const Model&, const Arrival& arrival, const Change& change) {
  return to_ms(change.timestamp) == arrival.timestamp && change.type == arrival.type;
}

template <>
bool is_own_or_successor(const EventTimeModel& model, const Arrival& arrival,
                         const Change& change) {
  if (to_ms(change.timestamp) == arrival.timestamp && change.type == arrival.type) return true;
  const auto next = model.successor(arrival.timestamp, arrival.type);
  return next && next->timestamp == to_ms(change.timestamp) && next->type == change.type;
}

// Folds the history event by event and compares everything with the model after each of them.
template <typename Model>
void compare_with_model(const Rule& rule, const History& history) {
  struct Device {
    Model model;
    AppliedRows rows;
  };
  std::map<int, Device> devices;
  Fold fold(rule, 1);
  for (const Arrival& arrival : history) {
    Device& device = devices.try_emplace(arrival.device, Device{Model(rule), {}}).first->second;
    const auto refused = refused_by_clock(arrival, rule);
    const Outcome expected =
        refused ? *refused : device.model.add(arrival.timestamp, arrival.type, arrival.now);

    const Script script = {record_of(arrival)};
    const auto records = records_of(script, 0, 1);
    const Unit& unit = fold.fold(records, {});
    RC_ASSERT(unit.outcomes.size() == 1u);
    if (!is_same_outcome(unit.outcomes[0], expected, rule)) {
      RC_FAIL(fmt::format("{} instead of {}", name(unit.outcomes[0]), name(expected)));
    }
    RC_ASSERT(unit.changes.size() <= 2u);
    RC_ASSERT(unit.changes.empty() == (expected != Outcome::accepted));
    for (const CleanedRecord& cleaned : unit.changes) {
      RC_ASSERT(fold.device_id(cleaned.device) == device_name(arrival.device));
      RC_ASSERT(is_own_or_successor(device.model, arrival, cleaned.change));
      device.rows.apply(cleaned.change, rule.order);
    }
    RC_ASSERT(device.rows.sorted() == device.model.rows());
  }
}

RC_GTEST_PROP(ArrivalOrder, EqualsTheModelAfterEveryEvent, ()) {
  compare_with_model<ArrivalModel>(*any_rule(Order::arrival), *any_history());
}

RC_GTEST_PROP(EventTimeOrder, EqualsTheModelAfterEveryEvent, ()) {
  compare_with_model<EventTimeModel>(*any_rule(Order::event_time), *any_history());
}

RC_GTEST_PROP(EventTimeOrder, EqualsTheModelWhenNothingIsRefused, ()) {
  compare_with_model<EventTimeModel>(generous(*any_rule(Order::event_time)), *any_history());
}

using Rows = std::map<std::string, std::vector<ModelRow>>;

Rows final_rows(const Rule& rule, const History& history) {
  Script script;
  for (const Arrival& arrival : history) script.push_back(record_of(arrival));
  Fold fold(rule, 1);
  const auto records = records_of(script, 0, script.size());
  const Unit& unit = fold.fold(records, {});
  RC_ASSERT(unit.rejected.empty());
  std::map<std::string, AppliedRows> applied;
  for (const CleanedRecord& cleaned : unit.changes) {
    applied[std::string(fold.device_id(cleaned.device))].apply(cleaned.change, rule.order);
  }
  Rows rows;
  for (const auto& [device, device_rows] : applied) rows[device] = device_rows.sorted();
  return rows;
}

// The history in another order, in which events of one device and millisecond keep theirs.
History reordered(const History& history) {
  using Key = std::pair<int, std::int64_t>;
  std::map<Key, std::vector<Arrival>> waiting;
  for (const Arrival& arrival : history) {
    waiting[{arrival.device, arrival.timestamp}].push_back(arrival);
  }
  std::vector<Key> keys;
  for (const Arrival& arrival : history) keys.emplace_back(arrival.device, arrival.timestamp);
  const auto places =
      *rc::gen::container<std::vector<int>>(keys.size(), rc::gen::inRange(0, 1'000));
  std::vector<std::size_t> order(keys.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::pair(places[a], a) < std::pair(places[b], b);
  });
  History result;
  for (const std::size_t i : order) {
    auto& queue = waiting[keys[i]];
    result.push_back(queue.front());
    queue.erase(queue.begin());
  }
  return result;
}

RC_GTEST_PROP(EventTimeOrder, TheEndDoesNotDependOnTheOrderOfArrival, ()) {
  const Rule rule = generous(*any_rule(Order::event_time));
  const History history = *any_history();
  RC_ASSERT(final_rows(rule, reordered(history)) == final_rows(rule, history));
}

// Some events come a second time, at any later moment.
RC_GTEST_PROP(EventTimeOrder, TheEndDoesNotDependOnRedelivery, ()) {
  const Rule rule = generous(*any_rule(Order::event_time));
  const History history = *any_history();
  History redelivered;
  for (const Arrival& arrival : history) {
    redelivered.push_back(arrival);
    const auto again = *rc::gen::inRange<std::size_t>(0, 2 * redelivered.size());
    if (again < redelivered.size()) redelivered.push_back(redelivered[again]);
  }
  RC_ASSERT(final_rows(rule, redelivered) == final_rows(rule, history));
}

// Any of the last accepted events may come again without effect.
RC_GTEST_PROP(ArrivalOrder, RedeliveryWithinTheWindowChangesNothing, ()) {
  Rule rule = generous(*any_rule(Order::arrival));
  rule.duplicate_window = std::max(rule.duplicate_window, 1u);
  const History history = *any_history();
  Fold fold(rule, 1);
  std::vector<std::vector<Arrival>> accepted(3);
  const auto arrive = [&](const Arrival& arrival) {
    const Script script = {record_of(arrival)};
    const auto records = records_of(script, 0, 1);
    return fold.fold(records, {}).outcomes[0];
  };
  for (const Arrival& arrival : history) {
    auto& own = accepted[static_cast<std::size_t>(arrival.device)];
    if (arrive(arrival) == Outcome::accepted) own.push_back(arrival);
    if (own.empty()) continue;
    const auto back =
        *rc::gen::inRange<std::size_t>(0, std::min<std::size_t>(rule.duplicate_window, own.size()));
    RC_ASSERT(arrive(own[own.size() - 1 - back]) == Outcome::duplicate);
  }
}

// A device's own clock means nothing here: its time is the receive time, and strictly grows.
RC_GTEST_PROP(ReceivedClock, TimesGrowAndNothingIsADuplicate, ()) {
  Rule rule = *any_rule(*rc::gen::element(Order::arrival, Order::event_time));
  rule.clock_source = ClockSource::received;
  Fold fold(rule, 1);
  std::map<int, std::int64_t> last_time;
  std::map<int, EventType> last_type;
  for (const Arrival& arrival : *any_history()) {
    const auto earlier = last_time.find(arrival.device);
    const auto time =
        earlier == last_time.end() ? arrival.now : std::max(arrival.now, earlier->second + 1);
    last_time[arrival.device] = time;
    const Script script = {record_of(arrival)};
    const auto records = records_of(script, 0, 1);
    const Unit& unit = fold.fold(records, {});
    RC_ASSERT(!is_rejected(unit.outcomes[0]));
    RC_ASSERT(unit.outcomes[0] != Outcome::duplicate);
    RC_ASSERT(unit.changes.size() <= 1u);
    for (const CleanedRecord& cleaned : unit.changes) {
      RC_ASSERT(cleaned.change.operation == Operation::insert);
      RC_ASSERT(to_ms(cleaned.change.timestamp) == time);
      RC_ASSERT(last_type.count(arrival.device) == 0 || last_type[arrival.device] != arrival.type);
      last_type[arrival.device] = arrival.type;
    }
  }
}

// Also at the end of time: whatever was committed can be restored.
RC_GTEST_PROP(ReceivedClock, NoTimeLeavesTheRange, ()) {
  Rule rule = generous(*any_rule(*rc::gen::element(Order::arrival, Order::event_time)));
  rule.clock_source = ClockSource::received;
  Fold fold(rule, 1);
  for (const int back : *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 3))) {
    const auto type = *rc::gen::element(EventType::enter, EventType::exit);
    const Script script = {record_of({0, 0, type, to_ms(kLatest) - back})};
    const auto records = records_of(script, 0, 1);
    for (const CleanedRecord& cleaned : fold.fold(records, {}).changes) {
      RC_ASSERT(in_range(cleaned.change.timestamp));
    }
    std::string state;
    fold.encode_state(0, state);
    RC_ASSERT(Fold(rule, 1).load_device("cam-0", state).has_value());
  }
}

}  // namespace
}  // namespace dwell
