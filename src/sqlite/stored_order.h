#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "core/rule.h"
#include "sqlite/database.h"

namespace dwell {

// The order a database was made with; empty before the first process that writes has chosen one.
Result<std::optional<Order>> load_order(Database& database);

// The same for a file; empty too when there is no such file yet.
Result<std::optional<Order>> stored_order(const std::string& path);

}  // namespace dwell
