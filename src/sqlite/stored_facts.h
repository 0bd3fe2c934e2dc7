#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/result.h"
#include "core/rule.h"
#include "sqlite/database.h"

namespace dwell {

// What the table `meta` knows about the database as a whole.

// The order a database was made with; empty before the first process that writes has chosen one.
Result<std::optional<Order>> load_order(Database& database);

// The settings that decided the outcomes so far, by their keys, order.mode among them; empty for a
// database that is new.
using StoredSettings = std::map<std::string, std::string>;
Result<StoredSettings> load_settings(Database& database);

// Keeps those that differ from what is stored, in one transaction; not the order, which never does.
Result<void> store_settings(Database& database, const StoredSettings& settings);

// SQLite looks for the log beside the name that a file is opened under. Opened under another one, a
// file lacks what was committed last, and writing to it damages it. `path` is the real name.
// Errors: invalid (the file was last written under another name, and its log is there).
Result<void> check_name(Database& database, const std::string& path);

// Keeps the name for check_name(): in the file itself, since under another name the log is not
// found.
Result<void> remember_name(Database& database, const std::string& path);

}  // namespace dwell
