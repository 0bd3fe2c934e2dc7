#include "http/wire/parameters.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>

namespace dwell {

const std::string* Parameters::take(std::string_view name) {
  known_.push_back(name);
  return target_.parameter(name);
}

Timestamp Parameters::time(std::string_view name, Timestamp otherwise) {
  const std::string* value = take(name);
  if (!value) return otherwise;
  const auto parsed = parse_time_parameter(*value);
  if (!parsed) refuse(name, "an RFC 3339 time such as 2025-07-08T12:00:00Z");
  return parsed.value_or(otherwise);
}

std::optional<std::size_t> Parameters::limit() {
  constexpr std::size_t kMost = 10'000;
  const std::string* value = take("limit");
  if (!value) return std::nullopt;
  std::size_t limit = 0;
  const char* end = value->data() + value->size();
  const auto [rest, error] = std::from_chars(value->data(), end, limit);
  if (error != std::errc{} || rest != end || limit < 1 || limit > kMost) {
    refuse("limit", "a whole number from 1 to 10000");
    return std::nullopt;
  }
  return limit;
}

bool Parameters::is_true(std::string_view name) {
  return choice(name, "false", "true");
}

bool Parameters::choice(std::string_view name, std::string_view first, std::string_view second) {
  const std::string* value = take(name);
  if (!value || *value == first) return false;
  if (*value != second) refuse(name, fmt::format("{} or {}", first, second));
  return *value == second;
}

const std::string* Parameters::text(std::string_view name) {
  return take(name);
}

void Parameters::refuse(std::string_view name, std::string_view expected) {
  if (problem_) return;
  problem_ = problem(Status::bad_request, "invalid-parameter",
                     fmt::format("{}: expected {}", name, expected), name);
}

std::optional<Reply> Parameters::problem_found() {
  for (const auto& [name, value] : target_.parameters) {
    if (problem_) break;
    if (std::find(known_.begin(), known_.end(), name) != known_.end()) {
      if (target_.parameter(name) != &value) refuse(name, "one value, not several");
      continue;
    }
    std::string names;
    for (const auto known : known_) names += fmt::format("{}{}", names.empty() ? "" : ", ", known);
    problem_ = problem(Status::bad_request, "unknown-parameter",
                       names.empty() ? "this resource takes no parameters"
                                     : fmt::format("no such parameter; there are {}", names),
                       name);
  }
  return problem_;
}

}  // namespace dwell
