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
  std::string place;  // "dwell.toml:3", "environment DWELL_DB_PATH" or "flag --db"
};

struct LoadedConfig {
  Config config;
  std::map<std::string, std::string> places;  // by key; settings at their default are missing

  bool is_default(const std::string& key) const { return !places.contains(key); }
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
LoadedConfig apply(std::span<const Setting> all, std::span<const Assignment> assignments,
                   Problems& problems);

// The effective configuration as TOML, with the place of each value; secrets are masked.
std::string show_config(std::span<const Setting> all, const LoadedConfig& loaded);

}  // namespace dwell
