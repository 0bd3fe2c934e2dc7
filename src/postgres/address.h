#pragma once

#include <libpq-fe.h>
#include <memory>
#include <string>

#include "base/result.h"

namespace dwell {

// The settings that an address stands for, as libpq lists them; the last one has no keyword.
struct FreeConninfo {
  void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};
using PgConninfo = std::unique_ptr<PQconninfoOption, FreeConninfo>;

// Looks at an address of a database before libpq does, whose messages would show parts of it: a
// password with an @ or / that is not escaped is read as a host, port or name. Errors: invalid,
// without any part of the address.
Result<void> check_address(const std::string& address);

}  // namespace dwell
