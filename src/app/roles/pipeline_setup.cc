#include "app/roles/pipeline_setup.h"

#include <filesystem>
#include <optional>
#include <random>
#include <unistd.h>

#include "app/settings/time_zones.h"
#include "base/file_id.h"

namespace dwell {
namespace {

// What to warn of when the file has further names (hard links), which keep its log from being
// found; else empty.
std::string warning_of_names(const std::string& db_path) {
  std::error_code error;
  const auto names = std::filesystem::hard_link_count(db_path, error);
  if (error || names < 2) return "";
  return fmt::format("{}: has {} names; use this one alone, its log is not found under another",
                     db_path, names);
}

}  // namespace

Result<std::unique_ptr<SqliteCommitter>> open_committer(
    const Config& loaded, Config& config, std::vector<std::string>& warnings,
    Milliseconds busy_timeout, std::function<bool(const Error&)> tries_again) {
  config = loaded;
  SqliteCommitterOptions options;
  options.database.cache_bytes = static_cast<std::int64_t>(config.db_cache_bytes);
  options.database.busy_timeout = busy_timeout;
  options.tries_again = std::move(tries_again);
  options.rejects_max_age = config.rejects_max_age;
  options.rejects_max_bytes = config.rejects_max_bytes;
  options.order_of_new = config.rule.order;
  std::optional<Order> order;
  if (!loaded.is_default("order.mode")) order = config.rule.order;
  auto committer = SqliteCommitter::open(config.db_path, order, options);
  if (!committer) return committer;
  auto stored = (*committer)->settings();
  if (!stored) return pass(stored);
  const auto place = fmt::format("database {}", config.db_path);
  auto effective = with_stored(settings(), loaded, *stored, place);
  if (!effective) return pass(effective);
  config = std::move(*effective);
  warnings = {warning_of_names(config.db_path),
              warning_of_tzdata((*stored)["input.time_zone"], config.rule.time.zone, place)};
  std::erase(warnings, "");
  if (auto kept = (*committer)->keep_settings(deciding_values(config)); !kept) return pass(kept);
  return committer;
}

Result<void> check_input(const std::string& path, const std::vector<std::string>& database_files) {
  const auto id = path == "-" ? file_id(STDIN_FILENO) : file_id(path);
  if (!id || !is_one_of(*id, database_files)) return {};
  return fail(ErrorKind::invalid, "{}: belongs to the database that is written; name another file",
              path);
}

PipelineOptions pipeline_options(const Config& config) {
  PipelineOptions options;
  options.rule = config.rule;
  options.hash_seed = std::random_device{}();
  return options;
}

PipelineOptions service_options(const Config& config) {
  PipelineOptions options = pipeline_options(config);
  options.longest_retry = std::chrono::seconds(1);
  options.give_up_after = std::chrono::days(36'500);
  return options;
}

}  // namespace dwell
