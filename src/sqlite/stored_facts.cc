#include "sqlite/stored_facts.h"

#include <filesystem>

#include "base/file_id.h"
#include "sqlite/migrations.h"

namespace dwell {
namespace {

constexpr std::string_view kOrder = "order";
constexpr std::string_view kName = "file";
constexpr std::string_view kOrderSetting = "order.mode";

Result<std::optional<std::string>> load_fact(Database& database, std::string_view name) {
  auto statement = database.prepare("SELECT value FROM meta WHERE name = ?");
  if (!statement) return pass(statement);
  statement->bind_text(1, name);
  auto row = statement->step();
  if (!row) return pass(row);
  if (!*row) return std::optional<std::string>();
  return std::optional(std::string(statement->bytes(0)));
}

Result<void> store_fact(Database& database, std::string_view name, std::string_view value) {
  auto statement = database.prepare("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)");
  if (!statement) return pass(statement);
  statement->bind_text(1, name);
  statement->bind_text(2, value);
  return statement->run();
}

// One folder mounted in two places has the log in both.
bool is_same_place(const std::filesystem::path& a, const std::filesystem::path& b) {
  if (a == b) return true;
  const auto folder = file_id(a.parent_path().string());
  return a.filename() == b.filename() && folder && folder == file_id(b.parent_path().string());
}

bool has_content(const std::string& path) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  return !error && size > 0;
}

}  // namespace

Result<std::optional<Order>> load_order(Database& database) {
  auto stored = load_fact(database, kOrder);
  if (!stored) return pass(stored);
  if (!*stored) return std::optional<Order>();
  for (const Order order : {Order::arrival, Order::event_time}) {
    if (**stored == name(order)) return std::optional(order);
  }
  return fail(ErrorKind::fatal, "{}: its stored order is damaged; restore it from a backup",
              database.path());
}

Result<StoredSettings> load_settings(Database& database) {
  auto statement = database.prepare("SELECT name, value FROM meta WHERE name <> ?");
  if (!statement) return pass(statement);
  statement->bind_text(1, kName);
  StoredSettings settings;
  for (;;) {
    auto row = statement->step();
    if (!row) return pass(row);
    if (!*row) return settings;
    const std::string_view name = statement->bytes(0);
    settings.emplace(name == kOrder ? kOrderSetting : name, statement->bytes(1));
  }
}

Result<void> store_settings(Database& database, const StoredSettings& settings) {
  auto stored = load_settings(database);
  if (!stored) return pass(stored);
  auto transaction = Transaction::begin(database);
  if (!transaction) return pass(transaction);
  for (const auto& [name, value] : settings) {
    const auto before = stored->find(name);
    const bool is_kept = before != stored->end() && before->second == value;
    if (is_kept || name == kOrderSetting) continue;
    auto written = store_fact(database, name, value);
    if (!written) return written;
  }
  return transaction->commit();
}

Result<void> check_name(Database& database, const std::string& path) {
  auto step = current_step(database);
  if (!step) return pass(step);
  if (*step == 0) return {};
  auto stored = load_fact(database, kName);
  if (!stored) return pass(stored);
  if (!*stored || is_same_place(**stored, path)) return {};
  const std::string& before = **stored;
  const auto there = file_id(before);
  if (there && there == file_id(path)) {
    return fail(ErrorKind::invalid,
                "{}: is another name of {}, where its log is kept; give that name with --db, or "
                "remove it once no process has it open",
                database.path(), before);
  }
  if (!there && has_content(before + "-wal")) {
    return fail(ErrorKind::invalid,
                "{}: was moved from {} without its log; move {}-wal to {}-wal, or remove it if it "
                "belongs to another file",
                database.path(), before, before, path);
  }
  return {};
}

Result<void> remember_name(Database& database, const std::string& path) {
  auto stored = load_fact(database, kName);
  if (!stored) return pass(stored);
  if (*stored == path) return {};
  if (auto written = store_fact(database, kName, path); !written) return written;
  return database.execute("PRAGMA wal_checkpoint(FULL)");
}

}  // namespace dwell
