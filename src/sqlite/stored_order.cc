#include "sqlite/stored_order.h"

#include <filesystem>

namespace dwell {

Result<std::optional<Order>> load_order(Database& database) {
  auto statement = database.prepare("SELECT value FROM meta WHERE name = 'order'");
  if (!statement) return pass(statement);
  auto row = statement->step();
  if (!row) return pass(row);
  if (!*row) return std::optional<Order>();
  for (const Order order : {Order::arrival, Order::event_time}) {
    if (statement->bytes(0) == name(order)) return std::optional(order);
  }
  return fail(ErrorKind::fatal, "{}: its stored order is damaged; restore it from a backup",
              database.path());
}

Result<std::optional<Order>> stored_order(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return std::optional<Order>();
  DatabaseOptions options;
  options.is_read_only = true;
  auto database = Database::open(path, options);
  if (!database) return pass(database);
  auto table = (*database)->query_integer(
      "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'meta'");
  if (!table) return pass(table);
  if (*table == 0) return std::optional<Order>();
  return load_order(**database);
}

}  // namespace dwell
