#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "app/settings/config.h"
#include "app/settings/settings.h"
#include "base/result.h"

namespace dwell {

// A value for a setting and where it was found.
struct Assignment {
  std::string key;
  std::string value;
  std::string place;  // as in Config::places
};

// What is wrong with a configuration, a line each: the place, the key, the value, what was
// expected.
using Problems = std::vector<std::string>;

// Reads a TOML file: the assignments it makes. Every problem is added, not only the first.
std::vector<Assignment> read_config_file(std::span<const Setting> all, const std::string& path,
                                         Problems& problems);

// The assignments of DWELL_* variables. `environment` is NAME=value texts. DWELL_CONFIG and
// DWELL_TEST_* are not settings.
std::vector<Assignment> read_environment(std::span<const Setting> all,
                                         std::span<const std::string> environment,
                                         Problems& problems);

// Applies assignments in order, later ones winning, then checks the values against each other.
Config apply(std::span<const Setting> all, std::span<const Assignment> assignments,
             Problems& problems);

// The configuration of a process that goes on with a database: a setting that decides outcomes and
// that nobody gave has the value stored in it. `place` says where that is, "database dwell.db".
// Errors: fatal (a stored value is damaged), invalid (what is stored and what was given cannot be
// together).
Result<Config> with_stored(std::span<const Setting> all, Config config,
                           const std::map<std::string, std::string>& stored,
                           const std::string& place);

// The effective configuration as TOML, with the place of each value; secrets are masked.
std::string show_config(std::span<const Setting> all, const Config& config);

}  // namespace dwell
