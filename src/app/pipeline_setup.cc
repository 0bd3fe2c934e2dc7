#include "app/pipeline_setup.h"

#include <optional>
#include <random>

namespace dwell {

Result<std::unique_ptr<SqliteCommitter>> open_committer(const LoadedConfig& loaded, Config& config,
                                                        Milliseconds busy_timeout) {
  config = loaded.config;
  SqliteCommitterOptions options;
  options.database.cache_bytes = static_cast<std::int64_t>(config.db_cache_bytes);
  options.database.busy_timeout = busy_timeout;
  options.rejects_max_age = config.rejects_max_age;
  options.rejects_max_bytes = config.rejects_max_bytes;
  std::optional<Order> order;
  if (!loaded.is_default("order.mode")) order = config.rule.order;
  auto committer = SqliteCommitter::open(config.db_path, order, options);
  if (committer) config.rule.order = (*committer)->order();
  return committer;
}

PipelineOptions pipeline_options(const Config& config) {
  PipelineOptions options;
  options.rule = config.rule;
  options.hash_seed = std::random_device{}();
  return options;
}

}  // namespace dwell
