#include "sqlite/stored_totals.h"

namespace dwell {

Result<void> load_totals(Database& database, Totals& totals, StoreCounts& counts) {
  auto statement = database.prepare("SELECT name, count FROM total");
  if (!statement) return pass(statement);
  for (;;) {
    auto row = statement->step();
    if (!row) return pass(row);
    if (!*row) break;
    each_total(totals, counts, [&](std::string_view name, std::uint64_t& count) {
      if (statement->bytes(0) == name) count = static_cast<std::uint64_t>(statement->integer(1));
    });
  }
  auto types = database.prepare("SELECT type, count FROM ignored_type ORDER BY position");
  if (!types) return pass(types);
  for (;;) {
    auto row = types->step();
    if (!row) return pass(row);
    if (!*row) return {};
    totals.ignored_types.push_back(
        {std::string(types->bytes(0)), static_cast<std::uint64_t>(types->integer(1))});
  }
}

}  // namespace dwell
