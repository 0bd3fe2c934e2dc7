#include "sqlite/stored_order.h"

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

}  // namespace dwell
