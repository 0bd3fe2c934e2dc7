#include "app/config_loader.h"

#include <filesystem>

#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
#include <toml++/toml.h>

namespace dwell {
namespace {

std::string did_you_mean(std::span<const Setting> all, std::string_view text) {
  const auto nearest = nearest_key(all, text);
  return nearest.empty() ? "see `dwell config --help` for all settings"
                         : fmt::format("did you mean {}?", nearest);
}

std::string value_text(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_integer()) return fmt::format("{}", number->get());
  if (const auto* flag = node.as_boolean()) return flag->get() ? "true" : "false";
  if (const auto* number = node.as_floating_point()) return fmt::format("{}", number->get());
  return node.is_array() ? "a list" : "a date or time";
}

bool is_table_of_settings(std::span<const Setting> all, const std::string& key) {
  return std::any_of(all.begin(), all.end(),
                     [&](const Setting& s) { return s.key.starts_with(key + "."); });
}

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
                                        key, did_you_mean(all_, key + ".")));
      } else if (!setting) {
        problems_.push_back(
            fmt::format("{}: {}: no such setting; {}", place, key, did_you_mean(all_, key)));
      } else if (inner) {
        problems_.push_back(
            fmt::format("{}: {}: is a table, expected {}", place, key, setting->expected));
      } else {
        assignments.push_back({key, value_text(node), place});
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
    if (static_cast<unsigned char>(c) < 0x20) {
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
  const auto parsed = toml::parse_file(path);
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
      problems.push_back(
          fmt::format("environment {}: no such setting; see `dwell config --help`", name));
    } else {
      assignments.push_back(
          {found->key_of(name), variable.substr(equals + 1), "environment " + name});
    }
  }
  return assignments;
}

LoadedConfig apply(std::span<const Setting> all, std::span<const Assignment> assignments,
                   Problems& problems) {
  LoadedConfig loaded;
  for (const Assignment& assignment : assignments) {
    const Setting* setting = find_setting(all, assignment.key);
    if (!setting) {
      problems.push_back(fmt::format("{}: {}: no such setting; {}", assignment.place,
                                     assignment.key, did_you_mean(all, assignment.key)));
    } else if (setting->set(value_of(*setting, assignment), loaded.config)) {
      loaded.places[assignment.key] = assignment.place;
    } else {
      problems.push_back(fmt::format("{}: {} = {}: expected {}", assignment.place, assignment.key,
                                     toml_string(shown_value(*setting, assignment.value)),
                                     setting->expected));
    }
  }
  return loaded;
}

std::string show_config(std::span<const Setting> all, const LoadedConfig& loaded) {
  std::string out;
  for (const Setting& setting : all) {
    if (setting.is_family) {
      for (const auto& [key, place] : loaded.places) {
        if (find_setting(all, key) == &setting) {
          out += fmt::format("{} = \"***\"  # {}\n", key, place);
        }
      }
      continue;
    }
    const auto place = loaded.places.find(setting.key);
    out += fmt::format("{} = {}  # {}\n", setting.key,
                       toml_string(shown_value(setting, setting.show(loaded.config))),
                       place == loaded.places.end() ? "default" : place->second);
  }
  return out;
}

}  // namespace dwell
