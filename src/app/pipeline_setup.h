#pragma once

#include <memory>

#include "app/config_loader.h"
#include "pipeline/pipeline.h"
#include "sqlite/sqlite_committer.h"

namespace dwell {

// Opens the database for writing. An order nobody asked for is the one stored in it; `config` is
// told which. A commit waits `busy_timeout` for a lock that another program has.
Result<std::unique_ptr<SqliteCommitter>> open_committer(
    const LoadedConfig& loaded, Config& config,
    Milliseconds busy_timeout = DatabaseOptions().busy_timeout);

// The pipeline's options as configured, with a fresh hash seed.
PipelineOptions pipeline_options(const Config& config);

}  // namespace dwell
