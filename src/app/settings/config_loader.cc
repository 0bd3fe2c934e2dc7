#include "app/settings/config_loader.h"

#include <filesystem>

#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
#include <toml++/toml.h>

#include "app/settings/read_text.h"

namespace dwell {
namespace {

std::string did_you_mean(const std::string& nearest) {
  return nearest.empty() ? "see `dwell config --help` for all settings"
                         : fmt::format("did you mean {}?", nearest);
}

// The table of settings most like `text`, such as order; empty when none is near.
std::string nearest_table(std::span<const Setting> all, std::string_view text) {
  std::vector<std::string> tables;
  for (const Setting& setting : all) {
    const auto dot = setting.key.rfind('.');
    if (dot != std::string::npos) tables.push_back(setting.key.substr(0, dot));
  }
  return nearest(tables, text, text.size() / 2);
}

// What a value is, where it is not what the setting takes.
std::string_view kind_of(const toml::node& node) {
  if (node.is_string()) return "a text";
  if (node.is_number()) return "a number";
  if (node.is_boolean()) return "true or false";
  if (node.is_array()) return "a list";
  return node.is_table() ? "a table" : "a date or time";
}

// A list of texts as the text that means the same; none: it is another list.
std::optional<std::string> joined(const toml::array& list) {
  if (list.empty()) return std::nullopt;
  std::string text;
  for (const toml::node& node : list) {
    const auto* item = node.as_string();
    if (!item || item->get().find(',') != std::string::npos) return std::nullopt;
    text += (text.empty() ? "" : ",") + item->get();
  }
  return text;
}

// The text of a value; none: the setting takes no values of its kind.
std::optional<std::string> value_text(const toml::node& node, const Setting& setting) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* list = node.as_array()) return setting.is_list ? joined(*list) : std::nullopt;
  if (setting.is_text) return std::nullopt;
  if (const auto* number = node.as_integer()) return fmt::format("{}", number->get());
  if (const auto* number = node.as_floating_point()) return fmt::format("{}", number->get());
  if (const auto* flag = node.as_boolean()) return flag->get() ? "true" : "false";
  return std::nullopt;
}

bool is_table_of_settings(std::span<const Setting> all, const std::string& key) {
  return std::any_of(all.begin(), all.end(),
                     [&](const Setting& s) { return s.key.starts_with(key + "."); });
}

// How to write it instead.
std::string_view mend(const toml::node& node, const Setting& setting) {
  if (setting.is_list) return "; write it as \"A,B\" or as [\"A\", \"B\"]";
  if (node.is_array() && setting.is_text) return "; it takes one, in quotes";
  return setting.is_text ? "; write it in quotes" : "";
}

// What stands where a name belongs may be a value in the wrong place.
std::string_view shown_key(const Setting& setting, std::string_view key) {
  if (!setting.is_family || setting.has_legal_name(key)) return key;
  return setting.family().substr(0, setting.family().size() - 1);
}

constexpr std::size_t kLargestConfig = 16 << 20;

class FileReader {
 public:
  FileReader(std::span<const Setting> all, std::string path, Problems& problems)
      : all_(all), path_(std::move(path)), problems_(problems) {}

  void read(const toml::table& table, const std::string& prefix) {
    for (const auto& [name, node] : table) {
      const std::string key = prefix + std::string(name.str());
      const std::string place = fmt::format("{}:{}", path_, node.source().begin.line);
      const Setting* setting = find_setting(all_, key);
      const auto* inner = node.as_table();
      const bool is_table = setting ? setting->is_family : is_table_of_settings(all_, key);
      if (inner && is_table) {
        read(*inner, key + ".");
      } else if (!setting && !inner && is_table_of_settings(all_, key)) {
        problems_.push_back(fmt::format("{}: {}: is a table of settings, not a value; {}", place,
                                        key, did_you_mean(nearest_key(all_, key + "."))));
      } else if (!setting) {
        const auto near = inner ? nearest_table(all_, key) : nearest_key(all_, key);
        problems_.push_back(
            fmt::format("{}: {}: no such setting; {}", place, key, did_you_mean(near)));
      } else if (auto text = value_text(node, *setting)) {
        assignments.push_back({key, std::move(*text), place});
      } else {
        problems_.push_back(fmt::format("{}: {}: is {}, expected {}{}", place,
                                        shown_key(*setting, key), kind_of(node), setting->expected,
                                        mend(node, *setting)));
      }
    }
  }

  std::vector<Assignment> assignments;

 private:
  std::span<const Setting> all_;
  std::string path_;
  Problems& problems_;
};

// Text as a TOML basic string.
std::string toml_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string shown_value(const Setting& setting, std::string_view value) {
  return setting.is_secret ? "***" : std::string(value);
}

// The same of a value that was refused: an address with a password may have been given to the
// wrong setting.
std::string shown_refused(const Setting& setting, std::string_view value) {
  return value.find('@') == value.npos ? shown_value(setting, value) : "***";
}

std::string refusal_of(const Setting& setting, std::string_view value) {
  return setting.refusal ? setting.refusal(value) : std::string();
}

// What the setting takes: a family is told which member it is.
std::string value_of(const Setting& setting, const Assignment& assignment) {
  if (!setting.is_family) return assignment.value;
  return assignment.key.substr(setting.family().size()) + '=' + assignment.value;
}

}  // namespace

std::vector<Assignment> read_config_file(std::span<const Setting> all, const std::string& path,
                                         Problems& problems) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    problems.push_back(fmt::format("{}: is a folder; name a TOML file", path));
    return {};
  }
  const auto text = read_text(path, kLargestConfig);
  if (!text) {
    problems.push_back(text.error().message);
    return {};
  }
  const auto parsed = toml::parse(*text, path);
  if (!parsed) {
    const auto& error = parsed.error();
    const auto line = error.source().begin.line;
    problems.push_back(line == 0 ? fmt::format("{}: {}", path, error.description())
                                 : fmt::format("{}:{}: {}", path, line, error.description()));
    return {};
  }
  FileReader reader(all, path, problems);
  reader.read(parsed.table(), "");
  return std::move(reader.assignments);
}

std::vector<Assignment> read_environment(std::span<const Setting> all,
                                         std::span<const std::string> environment,
                                         Problems& problems) {
  std::vector<Assignment> assignments;
  for (const std::string& variable : environment) {
    const auto equals = variable.find('=');
    const std::string name = variable.substr(0, equals);
    const bool is_setting = name.starts_with("DWELL_") && !name.starts_with("DWELL_TEST_") &&
                            name != "DWELL_CONFIG" && equals != std::string::npos;
    if (!is_setting) continue;
    const auto found = std::find_if(all.begin(), all.end(),
                                    [&](const Setting& s) { return !s.key_of(name).empty(); });
    if (found == all.end()) {
      problems.push_back(fmt::format("environment {}: no such setting; {}", name,
                                     did_you_mean(nearest_variable(all, name))));
    } else {
      assignments.push_back(
          {found->key_of(name), variable.substr(equals + 1), "environment " + name});
    }
  }
  return assignments;
}

Config apply(std::span<const Setting> all, std::span<const Assignment> assignments,
             Problems& problems) {
  Config config;
  for (const Assignment& assignment : assignments) {
    const Setting* setting = find_setting(all, assignment.key);
    if (!setting) {
      problems.push_back(fmt::format("{}: {}: no such setting; {}", assignment.place,
                                     assignment.key,
                                     did_you_mean(nearest_key(all, assignment.key))));
    } else if (setting->is_family && !setting->has_legal_name(assignment.key)) {
      problems.push_back(fmt::format("{}: {}: expected {}", assignment.place,
                                     shown_key(*setting, assignment.key), setting->expected));
    } else if (setting->set(value_of(*setting, assignment), config)) {
      config.places[assignment.key] = assignment.place;
    } else {
      const auto refusal = refusal_of(*setting, assignment.value);
      problems.push_back(fmt::format("{}: {} = {}: {}{}expected {}", assignment.place,
                                     assignment.key,
                                     toml_string(shown_refused(*setting, assignment.value)),
                                     refusal, refusal.empty() ? "" : "; ", setting->expected));
    }
  }
  for (std::string& found : contradictions(config)) problems.push_back(std::move(found));
  return config;
}

Result<Config> with_stored(std::span<const Setting> all, Config config,
                           const std::map<std::string, std::string>& stored,
                           const std::string& place) {
  for (const auto& [key, value] : stored) {
    const Setting* setting = find_setting(all, key);
    // A newer release keeps more of them.
    if (!setting || !setting->decides) continue;
    if (!config.is_default(key)) {
      if (!setting->is_fixed || setting->show(config) == value) continue;
      return fail(ErrorKind::invalid,
                  "{} = {}: what is in {} was made with {}; leave the setting out, or start anew "
                  "with another {}",
                  key, setting->show(config), place, value,
                  place.starts_with("topic") ? "clean.group and other topics" : "--db");
    }
    if (!setting->set(value, config)) {
      const auto refusal = refusal_of(*setting, value);
      if (refusal.empty()) {
        return fail(ErrorKind::fatal, "{}: its stored {} is damaged; give that setting", place,
                    key);
      }
      return fail(ErrorKind::fatal, "{}: its stored {} = {}: {}; or give that setting", place, key,
                  value, refusal);
    }
    config.places[key] = place;
  }
  auto problem = contradiction_of_times(config.rule.time);
  if (!problem.empty()) return fail(ErrorKind::invalid, "{}", problem);
  return config;
}

std::string show_config(std::span<const Setting> all, const Config& config) {
  std::string out;
  for (const Setting& setting : all) {
    if (setting.is_family) {
      for (const auto& [key, place] : config.places) {
        if (find_setting(all, key) == &setting) {
          out += fmt::format("{} = \"***\"  # {}\n", key, place);
        }
      }
      continue;
    }
    const auto place = config.places.find(setting.key);
    out += fmt::format("{} = {}  # {}\n", setting.key,
                       toml_string(shown_value(setting, setting.show(config))),
                       place == config.places.end() ? "default" : place->second);
  }
  return out;
}

}  // namespace dwell
