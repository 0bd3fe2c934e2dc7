#pragma once

#include <memory>

#include "app/config_loader.h"
#include "pipeline/pipeline.h"
#include "sqlite/sqlite_committer.h"

namespace dwell {

// The effective configuration; an order nobody asked for is the one stored in the database.
Result<Config> with_stored_order(const LoadedConfig& loaded);

Result<std::unique_ptr<SqliteCommitter>> open_committer(const Config& config);

// The pipeline's options as configured, with a fresh hash seed.
PipelineOptions pipeline_options(const Config& config);

}  // namespace dwell
