#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "app/settings/config.h"
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
  bool is_text = false;   // in TOML in quotes always: a number or a date was meant for another one
  bool is_list = false;   // several with commas, in TOML a list as well
  bool decides = false;   // outcomes: a database keeps it
  bool is_fixed = false;  // and it can have no other value later on
  // The key ends in NAME, which stands for any name: kafka.extra.NAME. Then set() takes NAME=VALUE,
  // and show() gives one such line for each that is set.
  bool is_family = false;
  // False: the text is not one of the expected values, and the config is as it was.
  std::function<bool(std::string_view text, Config& config)> set;
  std::function<std::string(const Config& config)> show;  // a text that set() takes
  // Why set() did not take a text, where more can be said than what is expected.
  std::function<std::string(std::string_view text)> refusal = {};

  std::string environment() const;  // DWELL_CLOCK_MAX_AHEAD
  // What the name of a variable is the key of; empty: not of this setting.
  std::string key_of(std::string_view variable) const;
  // Whether a key of this family says a name that can be one, so that it may be shown.
  bool has_legal_name(std::string_view key) const;
  // The key without NAME, `kafka.extra.`.
  std::string_view family() const { return std::string_view(key).substr(0, key.size() - 4); }
};

// All settings, in the order of the docs page.
const std::vector<Setting>& settings();

// That of a key; a family is found by each of its members' keys.
const Setting* find_setting(std::span<const Setting> all, std::string_view key);

// The one most like `text`, for "did you mean"; empty when none is within `most` characters.
std::string nearest(std::span<const std::string> all, std::string_view text, std::size_t most);

// The key most like `text`, for "did you mean"; empty when none is near.
std::string nearest_key(std::span<const Setting> all, std::string_view text);
// The same of the variables' names.
std::string nearest_variable(std::span<const Setting> all, std::string_view text);

// What settings say together that cannot be, a line each.
std::vector<std::string> contradictions(const Config& config);

// Why the ids that are made do not fit an input that is partitioned by device, which the facts of
// topics may complete; empty when they do.
std::string contradiction_of_keys(const Config& config);

// The same of what times are read by, which a database may complete; empty when nothing is wrong.
std::string contradiction_of_times(const TimeFormat& time);

// The values of the settings that decide outcomes, by key.
std::map<std::string, std::string> deciding_values(const Config& config);

// Those of them that all members of a group must have alike: what the topics' facts hold.
std::map<std::string, std::string> fact_values(const Config& config);

// What docs/settings.md holds: a Markdown table of every setting.
std::string settings_page(std::span<const Setting> all);

}  // namespace dwell
