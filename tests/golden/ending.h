#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/row.h"
#include "core/totals.h"
#include "tests/golden/case_file.h"

namespace dwell::golden {

// What a store holds once a case is over: what every runtime must end in.
struct Ending {
  Totals totals;
  std::map<std::string, std::vector<Row>> rows;  // in row order; devices without rows left out
  std::uint64_t absorbed = 0;                    // inserts whose row was there already
  std::uint64_t faults = 0;                      // retracts that found no row

  // Does to the rows what the store's contract says (design 3.3).
  void apply(const std::string& device, const Change& change);
};

// What the effects of a case add up to, without asking any code under test.
Ending expected_ending(const CaseFile& expected);

// Fails the current gtest unless `actual` is the expected ending, keeps the law
// inserts - retracts = rows + absorbed - faults, and agrees with the row, state and total lines.
void check_ending(const CaseFile& expected, const Ending& actual);

// One line, as in a case file: what became of a record.
std::string describe(const Step& step);

// Presence as the rows tell it, in the words of a `state` line.
std::string presence(const std::vector<Row>& rows);

}  // namespace dwell::golden
