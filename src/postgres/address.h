#pragma once

#include <string>

#include "base/result.h"

namespace dwell {

// Looks at an address of a database before libpq does, whose messages would show parts of it: a
// password with an @ or / that is not escaped is read as a host, port or name. Errors: invalid,
// without any part of the address.
Result<void> check_address(const std::string& address);

}  // namespace dwell
