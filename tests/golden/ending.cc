#include "tests/golden/ending.h"

#include <algorithm>
#include <fmt/format.h>
#include <gtest/gtest.h>

namespace dwell::golden {
namespace {

std::string describe(const Row& row) {
  return fmt::format("{} {} rank {} seq {}", short_name(row.type), to_ms(row.timestamp), row.rank,
                     row.seq);
}

std::string describe_rows(const Ending& ending) {
  std::string text;
  for (const auto& [device, rows] : ending.rows) {
    for (const Row& row : rows) text += fmt::format("{} {}\n", device, describe(row));
  }
  return text;
}

std::map<std::string, std::uint64_t> named_totals(const Ending& ending) {
  std::map<std::string, std::uint64_t> named;
  for (std::size_t i = 0; i < kOutcomeCount; ++i) {
    named.emplace(kOutcomeNames[i], ending.totals.outcomes[i]);
  }
  named.emplace("promoted", ending.totals.promoted);
  named.emplace("retracted", ending.totals.retracted);
  named.emplace("absorbed", ending.absorbed);
  named.emplace("faults", ending.faults);
  named.emplace("records", ending.totals.records());
  return named;
}

std::string describe_totals(const Ending& ending) {
  std::string text;
  for (const auto& [name, count] : named_totals(ending)) {
    if (count != 0) text += fmt::format("{} {}\n", name, count);
  }
  for (const auto& ignored : ending.totals.ignored_types) {
    text += fmt::format("ignored {} {}\n", ignored.type, ignored.count);
  }
  return text;
}

void check_law(const Ending& ending) {
  std::uint64_t row_count = 0;
  for (const auto& [device, rows] : ending.rows) row_count += rows.size();
  const auto& totals = ending.totals;
  EXPECT_EQ(totals[Outcome::accepted] + totals.promoted + ending.faults,
            totals.retracted + row_count + ending.absorbed)
      << "inserts - retracts = rows + absorbed - faults";
}

void check_row_lines(const CaseFile& expected, const Ending& actual) {
  if (expected.rows.empty()) return;
  std::map<std::string, std::string> listed, found;
  const auto line = [](EventType type, Timestamp timestamp) {
    return fmt::format("{} {}\n", short_name(type), to_ms(timestamp));
  };
  for (const auto& row : expected.rows) listed[row.device] += line(row.type, row.timestamp);
  for (const auto& [device, rows] : actual.rows) {
    for (const Row& row : rows) found[device] += line(row.type, row.timestamp);
  }
  EXPECT_EQ(found, listed) << "the row lines";
}

void check_state_lines(const CaseFile& expected, const Ending& actual) {
  for (const auto& state : expected.states) {
    std::string listed = "unknown";
    if (state.type) {
      listed = fmt::format("{} since {}", *state.type == EventType::enter ? "inside" : "outside",
                           to_ms(state.since));
    }
    const auto rows = actual.rows.find(state.device);
    EXPECT_EQ(presence(rows == actual.rows.end() ? std::vector<Row>() : rows->second), listed)
        << "state of " << state.device;
  }
}

// What corrections and the store did is never left out of a case by mistake.
void check_total_lines(const CaseFile& expected, const Ending& actual) {
  const auto found = named_totals(actual);
  for (const auto& [name, count] : expected.totals) {
    ASSERT_TRUE(found.contains(name)) << "no such total: " << name;
    EXPECT_EQ(found.at(name), count) << "total " << name;
  }
  for (const std::string name : {"promoted", "retracted", "absorbed", "faults"}) {
    const bool is_listed = expected.totals.contains(name);
    EXPECT_TRUE(is_listed || found.at(name) == 0) << name << " is not 0: list it";
  }
}

}  // namespace

void Ending::apply(const std::string& device, const Change& change) {
  auto& stored = rows[device];
  const auto same = std::find_if(stored.begin(), stored.end(), [&](const Row& row) {
    return row.timestamp == change.timestamp && row.type == change.type;
  });
  if (change.operation == Operation::retract) {
    same == stored.end() ? static_cast<void>(++faults) : static_cast<void>(stored.erase(same));
  } else if (same != stored.end()) {
    ++absorbed;
  } else {
    const Row row{change.timestamp, change.rank, change.type, change.seq};
    stored.insert(std::upper_bound(stored.begin(), stored.end(), row, comes_before), row);
  }
  if (stored.empty()) rows.erase(device);
}

Ending expected_ending(const CaseFile& expected) {
  Ending ending;
  for (const Step& step : expected.steps) {
    ++ending.totals[step.outcome];
    for (std::size_t i = 0; i < step.changes.size(); ++i) {
      const auto& [device, change] = step.changes[i];
      ending.apply(device, change);
      const bool is_retract = change.operation == Operation::retract;
      if (i > 0) ++(is_retract ? ending.totals.retracted : ending.totals.promoted);
    }
    if (step.outcome != Outcome::ignored) continue;
    auto& types = ending.totals.ignored_types;
    const auto known = std::find_if(types.begin(), types.end(), [&](const auto& ignored) {
      return ignored.type == step.ignored_type;
    });
    known == types.end() ? types.push_back({step.ignored_type, 1}) : void(++known->count);
  }
  return ending;
}

void check_ending(const CaseFile& expected, const Ending& actual) {
  const auto ending = expected_ending(expected);
  EXPECT_EQ(describe_rows(actual), describe_rows(ending)) << "rows";
  EXPECT_EQ(describe_totals(actual), describe_totals(ending)) << "totals";
  check_law(actual);
  check_row_lines(expected, actual);
  check_state_lines(expected, actual);
  check_total_lines(expected, actual);
}

std::string describe(const Step& step) {
  std::string text(name(step.outcome));
  if (step.outcome == Outcome::ignored) text += " " + step.ignored_type;
  for (const auto& [device, change] : step.changes) {
    text += fmt::format("; {} {} {} {} seq {} rank {}",
                        change.operation == Operation::insert ? "out" : "retract", device,
                        short_name(change.type), to_ms(change.timestamp), change.seq, change.rank);
  }
  return text;
}

std::string presence(const std::vector<Row>& rows) {
  if (rows.empty()) return "unknown";
  auto head = rows.rbegin();
  while (head + 1 != rows.rend() && (head + 1)->type == head->type) ++head;
  return fmt::format("{} since {}", head->type == EventType::enter ? "inside" : "outside",
                     to_ms(head->timestamp));
}

}  // namespace dwell::golden
