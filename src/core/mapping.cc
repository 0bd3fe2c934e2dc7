#include "core/mapping.h"

#include <algorithm>

namespace dwell {
namespace {

// The names of a JSON pointer, unescaped; empty when it is none or points to the record itself.
std::vector<std::string> names_of_pointer(std::string_view pointer) {
  std::vector<std::string> names;
  if (pointer.empty() || pointer.front() != '/') return {};
  for (std::size_t i = 0; i < pointer.size(); ++i) {
    if (pointer[i] == '/') {
      names.emplace_back();
    } else if (pointer[i] != '~') {
      names.back() += pointer[i];
    } else {
      ++i;
      if (i == pointer.size() || (pointer[i] != '0' && pointer[i] != '1')) return {};
      names.back() += pointer[i] == '0' ? '~' : '/';
    }
  }
  return names;
}

}  // namespace

std::vector<PlacePart> parts_of_place(std::string_view place, bool is_id) {
  if (place.size() > kLongestPlace) return {};
  if (!place.empty() && place.front() == '/') {
    auto names = names_of_pointer(place);
    if (names.empty()) return {};
    return {{std::move(names), {}}};
  }
  std::vector<PlacePart> parts;
  while (is_id && !place.empty()) {
    const auto open = place.find('{');
    const std::string_view text = place.substr(0, open);
    if (text.find('}') != text.npos) return {};
    if (!text.empty()) parts.push_back({{}, std::string(text)});
    if (open == place.npos) break;
    const auto close = place.find('}', open);
    if (close == place.npos) return {};
    auto names = names_of_pointer(place.substr(open + 1, close - open - 1));
    if (names.empty()) return {};
    parts.push_back({std::move(names), {}});
    place.remove_prefix(close + 1);
  }
  const bool has_pointer =
      std::any_of(parts.begin(), parts.end(), [](const auto& part) { return !part.names.empty(); });
  if (!has_pointer) return {};
  return parts;
}

}  // namespace dwell
