#pragma once

#include <memory>
#include <string>

#include "sqlite/database.h"

namespace dwell {

// A connection that only reads, beside the process that writes. Errors: not_found (no such file),
// invalid (not ours, or without our tables).
Result<std::unique_ptr<Database>> open_to_read(const std::string& path, DatabaseOptions options);

// Runs `read` in one read transaction, so that all it sees is of one moment.
template <typename Read>
auto in_one_moment(Database& database, Read read) -> decltype(read()) {
  if (auto begun = database.execute("BEGIN"); !begun) return pass(begun);
  auto answer = read();
  if (auto ended = database.execute("COMMIT"); !ended && answer) return pass(ended);
  return answer;
}

}  // namespace dwell
