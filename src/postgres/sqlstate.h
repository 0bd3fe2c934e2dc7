#pragma once

#include <span>
#include <string_view>

#include "base/result.h"

namespace dwell {

// What an error of the server asks for, by its SQLSTATE (appendix A of the manual of PostgreSQL).
enum class SqlRemedy {
  try_again,   // the server, or whoever runs it, can mend it: the same again, with pauses
  prepare,     // the same again on a new connection: what was prepared fits no more
  refuse_row,  // what was to be written cannot be, however often: it goes to the rejected topic
};

// One class of errors, or one error of a class that is unlike the others.
struct SqlClass {
  std::string_view prefix;  // of the SQLSTATE: two characters, or all five
  SqlRemedy remedy;
  std::string_view what;
};

// The whole table; the longest prefix that fits counts.
std::span<const SqlClass> sql_classes();

// `state` is empty where the connection broke: try_again. What is not in the table is not the
// server's own: a trigger raised it, about a row.
SqlRemedy sql_remedy(std::string_view state);

// The kind that such an error has: retry_later (503 over HTTP), or fatal (500) for a refused row.
ErrorKind sql_error_kind(std::string_view state);

}  // namespace dwell
