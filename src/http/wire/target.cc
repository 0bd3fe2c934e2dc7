#include "http/wire/target.h"

#include <algorithm>
#include <boost/beast/core/string.hpp>

namespace dwell {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> percent_decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const int high = hex_digit(text[i + 1]);
    const int low = hex_digit(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

// Calls f(part) for every part between separators; stops at the first that f refuses.
template <typename F>
bool each_part(std::string_view text, char separator, F f) {
  for (;;) {
    const auto end = text.find(separator);
    if (!f(text.substr(0, end))) return false;
    if (end == std::string_view::npos) return true;
    text.remove_prefix(end + 1);
  }
}

}  // namespace

const std::string* Target::parameter(std::string_view name) const {
  const auto found = std::find_if(parameters.rbegin(), parameters.rend(),
                                  [&](const auto& parameter) { return parameter.first == name; });
  return found == parameters.rend() ? nullptr : &found->second;
}

Result<Target> parse_target(std::string_view text) {
  // As sent to a proxy: the authority is of no interest.
  for (const std::string_view start : {"http://", "https://"}) {
    if (!boost::beast::iequals(text.substr(0, start.size()), start)) continue;
    const auto authority = start.size();
    const auto path = text.find_first_of("/?#", authority);
    if (path == std::string_view::npos || text[path] != '/') {
      return fail(ErrorKind::invalid, "the request target must have a path");
    }
    text.remove_prefix(path);
    break;
  }
  if (!text.starts_with('/')) {
    return fail(ErrorKind::invalid, "the request target must be an absolute path");
  }
  text = text.substr(0, text.find('#'));
  const auto question = text.find('?');
  Target target;
  const bool path_is_sound =
      each_part(text.substr(1, question == std::string_view::npos ? question : question - 1), '/',
                [&](std::string_view part) {
                  auto decoded = percent_decode(part);
                  if (decoded) target.segments.push_back(std::move(*decoded));
                  return decoded.has_value();
                });
  if (!path_is_sound) return fail(ErrorKind::invalid, "the path has a % without two hex digits");
  if (question == std::string_view::npos || question + 1 == text.size()) return target;

  const bool query_is_sound = each_part(text.substr(question + 1), '&', [&](std::string_view part) {
    if (part.empty()) return true;
    const auto equals = part.find('=');
    auto name = percent_decode(part.substr(0, equals));
    auto value = percent_decode(equals == std::string_view::npos ? std::string_view()
                                                                 : part.substr(equals + 1));
    if (!name || !value || target.parameters.size() == kMostParameters) return false;
    target.parameters.emplace_back(std::move(*name), std::move(*value));
    return true;
  });
  if (!query_is_sound) {
    return fail(ErrorKind::invalid,
                "the query has a % without two hex digits, or more than {} parameters",
                kMostParameters);
  }
  return target;
}

std::optional<Timestamp> parse_time_parameter(std::string_view text) {
  if (text.size() > 3 * kLongestTimestamp) return std::nullopt;
  if (const auto time = parse_rfc3339(text)) return time;
  const auto decoded = percent_decode(text);
  return decoded ? parse_rfc3339(*decoded) : std::nullopt;
}

}  // namespace dwell
