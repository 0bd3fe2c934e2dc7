// What a fold promises whatever the batches its records come in, and wherever it is cut and
// resumed.
#include <gtest/gtest.h>
#include <map>
#include <rapidcheck/gtest.h>
#include <tuple>

#include "core/fold.h"
#include "tests/property/histories.h"

namespace dwell {
namespace {

// Events of several devices among records that are none.
rc::Gen<ScriptedRecord> any_record() {
  const auto event = rc::gen::map(any_arrival(), record_of);
  const auto other = rc::gen::map(
      rc::gen::element<std::string>(
          "", "{", "[1]", R"({"event_type":"heartbeat"})", R"({"event_type":"status_update"})",
          R"({"event_type":"device_enter"})", R"({"event_type":"other"})",
          R"({"event_type":"device_exit","device_id":"cam-0"})", R"({"event_type":""})",
          R"({"event_type":"device_exit","device_id":"cam-0","timestamp":-1})"),
      [](std::string bytes) { return raw_record(std::move(bytes), 10); });
  const auto oversized = rc::gen::just(ScriptedRecord{"{", from_ms(11), 70'000});
  return rc::gen::weightedOneOf<ScriptedRecord>({{12, event}, {3, other}, {1, oversized}});
}

rc::Gen<Rule> any_rule_at_all() {
  return rc::gen::mapcat(rc::gen::element(Order::arrival, Order::event_time), [](Order order) {
    return rc::gen::map(
        rc::gen::pair(any_rule(order), rc::gen::weightedElement<ClockSource>(
                                           {{4, ClockSource::event}, {1, ClockSource::received}})),
        [](std::pair<Rule, ClockSource> drawn) {
          drawn.first.clock_source = drawn.second;
          return drawn.first;
        });
  });
}

using NamedChange = std::pair<std::string, Change>;

// All that came out of a run: what was decided and what is left.
struct Trace {
  std::vector<Outcome> outcomes;
  std::vector<NamedChange> changes;
  std::vector<Offset> rejected;
  Totals totals;
  std::map<std::string, std::string> states;
};

void expect_equal(const Trace& a, const Trace& b) {
  RC_ASSERT(a.outcomes == b.outcomes);
  RC_ASSERT(a.changes == b.changes);
  RC_ASSERT(a.rejected == b.rejected);
  RC_ASSERT(a.totals == b.totals);
  RC_ASSERT(a.states == b.states);
}

std::string state_of(const Fold& fold, DeviceIndex device) {
  std::string state;
  fold.encode_state(device, state);
  return state;
}

std::map<std::string, std::string> states_of(const Fold& fold) {
  std::map<std::string, std::string> states;
  for (DeviceIndex i = 0; i < fold.device_count(); ++i) {
    states[std::string(fold.device_id(i))] = state_of(fold, i);
  }
  return states;
}

void collect(const Unit& unit, const Fold& fold, Trace& result) {
  result.outcomes.insert(result.outcomes.end(), unit.outcomes.begin(), unit.outcomes.end());
  for (const CleanedRecord& cleaned : unit.changes) {
    result.changes.emplace_back(fold.device_id(cleaned.device), cleaned.change);
  }
  for (const std::uint32_t i : unit.rejected) result.rejected.push_back(unit.records[i].offset);
}

// Another process: nothing but the stored states and totals goes over.
Fold resumed(const Fold& fold, std::uint64_t seed) {
  Fold next(fold.rule(), seed);
  for (DeviceIndex i = 0; i < fold.device_count(); ++i) {
    const auto loaded = next.load_device(fold.device_id(i), state_of(fold, i));
    RC_ASSERT(loaded.has_value());
    RC_ASSERT(*loaded == i);
  }
  next.load_totals(fold.totals());
  return next;
}

Trace run(const Rule& rule, const Script& script, const std::vector<std::size_t>& batch_sizes,
          bool is_cut) {
  Fold fold(rule, 1);
  Trace result;
  std::size_t start = 0;
  for (std::size_t batch = 0; start < script.size(); ++batch) {
    const std::size_t size = batch_sizes[batch % batch_sizes.size()];
    const auto records = records_of(script, start, std::min(size, script.size() - start));
    collect(fold.fold(records, {}), fold, result);
    start += records.size();
    if (is_cut) fold = resumed(fold, batch + 2);
  }
  result.totals = fold.totals();
  result.states = states_of(fold);
  return result;
}

rc::Gen<Script> any_script() {
  return rc::gen::scale(3.0, rc::gen::container<Script>(any_record()));
}

rc::Gen<std::vector<std::size_t>> any_batch_sizes() {
  return rc::gen::nonEmpty(
      rc::gen::container<std::vector<std::size_t>>(rc::gen::inRange<std::size_t>(1, 150)));
}

RC_GTEST_PROP(Fold, BatchSizesDoNotMatter, ()) {
  const Rule rule = *any_rule_at_all();
  const Script script = *any_script();
  const Trace whole = run(rule, script, {script.size() + 1}, false);
  expect_equal(run(rule, script, *any_batch_sizes(), false), whole);
  expect_equal(run(rule, script, {1}, false), whole);
}

RC_GTEST_PROP(Fold, CutAndResumedItEndsTheSame, ()) {
  const Rule rule = *any_rule_at_all();
  const Script script = *any_script();
  const Trace whole = run(rule, script, {script.size() + 1}, false);
  expect_equal(run(rule, script, *any_batch_sizes(), true), whole);
  expect_equal(run(rule, script, {1}, true), whole);
}

RC_GTEST_PROP(Fold, TheCountsAddUp, ()) {
  const Script script = *any_script();
  const Trace result = run(*any_rule_at_all(), script, *any_batch_sizes(), false);
  const Totals& totals = result.totals;
  RC_ASSERT(totals.records() == script.size());
  for (std::size_t i = 0; i < kOutcomeCount; ++i) {
    const auto outcome = static_cast<Outcome>(i);
    RC_ASSERT(totals[outcome] == static_cast<std::uint64_t>(std::count(
                                     result.outcomes.begin(), result.outcomes.end(), outcome)));
  }
  std::uint64_t inserts = 0;
  for (const auto& [device, change] : result.changes) {
    inserts += change.operation == Operation::insert;
  }
  RC_ASSERT(totals.inserts() == inserts);
  RC_ASSERT(totals.retracted == result.changes.size() - inserts);
  RC_ASSERT(result.rejected.size() ==
            static_cast<std::size_t>(
                std::count_if(result.outcomes.begin(), result.outcomes.end(), is_rejected)));
  std::uint64_t named = 0;
  for (const auto& ignored : totals.ignored_types) named += ignored.count;
  RC_ASSERT(named == totals[Outcome::ignored]);
}

// A committer writes the touched devices only: all that changed must be among them, once.
RC_GTEST_PROP(Fold, TouchedDevicesAreTheOnesThatChanged, ()) {
  const Script script = *any_script();
  const auto batch_sizes = *any_batch_sizes();
  dwell::Fold fold(*any_rule_at_all(), 1);
  std::size_t start = 0;
  for (std::size_t batch = 0; start < script.size(); ++batch) {
    const auto before = states_of(fold);
    const std::size_t known = fold.device_count();
    const std::size_t size = batch_sizes[batch % batch_sizes.size()];
    const auto records = records_of(script, start, std::min(size, script.size() - start));
    const Unit& unit = fold.fold(records, {});
    start += records.size();

    RC_ASSERT(unit.first_new == known);
    std::map<std::string, int> touched;
    for (const DeviceIndex i : unit.touched) ++touched[std::string(fold.device_id(i))];
    for (const auto& [device, state] : states_of(fold)) {
      const auto old = before.find(device);
      const bool has_changed = old == before.end() || old->second != state;
      RC_ASSERT(touched[device] == (has_changed ? 1 : 0));
    }
  }
}

}  // namespace
}  // namespace dwell
