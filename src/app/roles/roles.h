#pragma once

#include <string>

#include "app/settings/config_loader.h"
#include "base/result.h"

namespace dwell {

// What `dwell run`, `clean`, `store` and `serve` do until a signal stops them.

// All in one process, with SQLite. `from`: a file to follow, - for standard input, or empty.
Result<void> run_embedded(const Config& config, const std::string& from);

// What one process does between Kafka and PostgreSQL.
struct Roles {
  bool clean = false;
  bool store = false;
  bool serve = false;
};
Result<void> run_roles(const Config& config, const Roles& roles);

// Cleans the records of its partitions of the input.
Result<void> clean(const Config& config);

// Stores the rows of its partitions of the cleaned topic.
Result<void> store(const Config& config);

// Answers questions from PostgreSQL over HTTP and takes events in.
Result<void> serve(const Config& config);

}  // namespace dwell
