#pragma once

#include <optional>

#include "base/result.h"
#include "core/rule.h"
#include "sqlite/database.h"

namespace dwell {

// The order a database was made with; empty before the first process that writes has chosen one.
Result<std::optional<Order>> load_order(Database& database);

}  // namespace dwell
