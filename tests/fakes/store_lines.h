#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/fold.h"
#include "ports/row_reader.h"
#include "ports/store_report.h"
#include "tests/fakes/scripted_source.h"

namespace dwell {

// A whole store or fold as lines of text: equal lines, equal contents, and a difference is
// readable.
using Lines = std::vector<std::string>;

// Device states, totals and the positions given, which may come in any order.
Lines lines_of(const Fold& fold, std::span<const Position> positions);

// Rows of the devices given, rejected records and store totals.
Lines lines_of(RowReader& reader, StoreReport& report, std::span<const std::string> devices);

// The ids of all devices a fold knows.
std::vector<std::string> devices_of(const Fold& fold);

// Two devices and more, with every kind of outcome in it: repeats, redeliveries, corrections, other
// event types and records nobody can use.
Script mixed_script();

// A rule under which mixed_script() meets windows that are full.
Rule small_rule(Order order);

}  // namespace dwell
