#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "app/settings/config_loader.h"
#include "pipeline/pipeline.h"
#include "sqlite/sqlite_committer.h"

namespace dwell {

// Opens the database for writing. A setting that decides outcomes and that nobody gave has the
// value stored in it; `config` is told, and the database keeps what is in effect. `warnings` are
// lines for the log. A commit waits `busy_timeout` for a lock that another program has;
// `tries_again` as in SqliteCommitterOptions.
Result<std::unique_ptr<SqliteCommitter>> open_committer(
    const Config& loaded, Config& config, std::vector<std::string>& warnings,
    Milliseconds busy_timeout = DatabaseOptions().busy_timeout,
    std::function<bool(const Error&)> tries_again = {});

// Refuses an input (`-`: standard input) that is one of the files of the database: to read those in
// would be without end, and closing them would drop SQLite's locks.
Result<void> check_input(const std::string& path, const std::vector<std::string>& database_files);

// The pipeline's options as configured, with a fresh hash seed.
PipelineOptions pipeline_options(const Config& config);
// The same for a service: it is patient for ever, and looks again every second.
PipelineOptions service_options(const Config& config);

}  // namespace dwell
