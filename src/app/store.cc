#include "app/store.h"

#include <random>

#include "sqlite/stored_order.h"

namespace dwell {

Result<Config> with_stored_order(const LoadedConfig& loaded) {
  Config config = loaded.config;
  if (!loaded.is_default("order.mode")) return config;
  auto stored = stored_order(config.db_path);
  if (!stored) return pass(stored);
  config.rule.order = stored->value_or(config.rule.order);
  return config;
}

Result<std::unique_ptr<SqliteCommitter>> open_committer(const Config& config) {
  SqliteCommitterOptions options;
  options.database.cache_bytes = static_cast<std::int64_t>(config.db_cache_bytes);
  options.rejects_max_age = config.rejects_max_age;
  options.rejects_max_bytes = config.rejects_max_bytes;
  return SqliteCommitter::open(config.db_path, config.rule.order, options);
}

PipelineOptions pipeline_options(const Config& config) {
  PipelineOptions options;
  options.rule = config.rule;
  options.hash_seed = std::random_device{}();
  return options;
}

}  // namespace dwell
