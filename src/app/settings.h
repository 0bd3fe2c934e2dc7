#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "app/config.h"
#include "base/result.h"

namespace dwell {

// One setting, defined once: the TOML key, the environment variable, the flag, the help text, the
// default and the docs page all come from here.
struct Setting {
  std::string key;       // dotted, as in the TOML file: clock.max_ahead
  std::string flag;      // --clock-max-ahead unless a shorter one is given
  std::string help;      // one sentence without a full stop
  std::string expected;  // the values it takes, in words
  bool is_secret = false;
  // False: the text is not one of the expected values, and the config is as it was.
  std::function<bool(std::string_view text, Config& config)> set;
  std::function<std::string(const Config& config)> show;  // a text that set() takes

  std::string environment() const;  // DWELL_CLOCK_MAX_AHEAD
};

// All settings, in the order of the docs page.
const std::vector<Setting>& settings();

const Setting* find_setting(std::span<const Setting> all, std::string_view key);

// The key most like `text`, for "did you mean"; empty when none is near.
std::string nearest_key(std::span<const Setting> all, std::string_view text);

// The page docs/operations.md includes: a Markdown table of every setting.
std::string settings_page(std::span<const Setting> all);

}  // namespace dwell
