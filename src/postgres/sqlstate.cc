#include "postgres/sqlstate.h"

#include <algorithm>
#include <array>

namespace dwell {
namespace {

using enum SqlRemedy;

constexpr auto kClasses = std::to_array<SqlClass>({
    // The way to the server, and what it lacks or is told to do.
    {"08", try_again, "the connection"},
    {"53", try_again, "out of disk, memory, connections or another limit"},
    {"55", try_again, "in use, locked or not loaded"},
    {"57", try_again, "shut down, starting, cancelled"},
    {"58", try_again, "input and output"},
    {"F0", try_again, "a configuration file"},
    {"XX", try_again, "damage, or a fault of the server"},
    // Transactions.
    {"25", try_again, "read-only, or a transaction that ended"},
    {"2D", try_again, "a transaction that ended"},
    {"40", try_again, "a deadlock, or two transactions that do not go together"},
    {"72", try_again, "a snapshot that is too old"},
    {"0B", try_again, "a transaction that did not begin"},
    {"3B", try_again, "a savepoint"},
    // What its administrator has changed, and can change back.
    {"28", try_again, "the password, or who may connect"},
    {"3D", try_again, "the database is not there"},
    {"3F", try_again, "the schema is not there"},
    {"42", try_again, "a right, a table, a column or a function is missing or another"},
    {"0A", try_again, "this server cannot do it"},
    {"0A000", prepare, "a column has changed its type under a prepared statement"},
    {"26000", prepare, "a prepared statement is not there: a pooler has another connection"},
    {"42P05", prepare, "a prepared statement is there already: the same"},
    {"2B", try_again, "others depend on it"},
    {"0L", try_again, "a grant"},
    {"0P", try_again, "a role"},
    {"HV", try_again, "a foreign server"},
    {"22P03", try_again, "a column is of another type than the layout says"},
    {"22P04", try_again, "COPY in another format"},
    // Rows.
    {"22", refuse_row, "a value that the column or the encoding cannot hold"},
    {"23", refuse_row, "a constraint that somebody added"},
    {"44", refuse_row, "WITH CHECK OPTION of a view"},
    {"54", refuse_row, "a row too large for an index"},
    {"54001", try_again, "a stack too small"},
    {"54023", try_again, "too many arguments"},
    {"09", refuse_row, "a trigger"},
    {"27", refuse_row, "a trigger that changes the row as well"},
    {"38", refuse_row, "a function of a trigger"},
    {"39", refuse_row, "a function of a trigger"},
    {"P0", refuse_row, "RAISE in a trigger"},
});

const SqlClass* class_of(std::string_view state) {
  const SqlClass* best = nullptr;
  for (const SqlClass& one : kClasses) {
    if (!state.starts_with(one.prefix)) continue;
    if (!best || one.prefix.size() > best->prefix.size()) best = &one;
  }
  return best;
}

}  // namespace

std::span<const SqlClass> sql_classes() {
  return kClasses;
}

SqlRemedy sql_remedy(std::string_view state) {
  if (state.empty()) return try_again;
  const SqlClass* const found = class_of(state);
  return found ? found->remedy : refuse_row;
}

ErrorKind sql_error_kind(std::string_view state) {
  return sql_remedy(state) == refuse_row ? ErrorKind::fatal : ErrorKind::retry_later;
}

}  // namespace dwell
