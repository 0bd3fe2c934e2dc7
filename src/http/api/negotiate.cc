#include "http/api/negotiate.h"

#include <algorithm>
#include <array>
#include <boost/beast/core/string.hpp>
#include <charconv>
#include <string>
#include <utility>

namespace dwell {
namespace {

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

// Takes what stands before the first `separator`, or all, off the front of `rest`.
std::string_view take_item(std::string_view& rest, char separator) {
  const auto end = std::find(rest.begin(), rest.end(), separator);
  const std::string_view item(rest.begin(), end);
  rest = end == rest.end() ? std::string_view() : std::string_view(end + 1, rest.end());
  return item;
}

// The weight of a media range, 1 unless a q parameter says less.
double weight(std::string_view parameters) {
  while (!parameters.empty()) {
    const auto parameter = trim(take_item(parameters, ';'));
    if (!parameter.starts_with("q=")) continue;
    double value = 0;
    std::from_chars(parameter.data() + 2, parameter.data() + parameter.size(), value);
    return value > 0 ? std::min(value, 1.0) : 0;  // 0 for what is no number, too
  }
  return 1;
}

}  // namespace

std::string_view content_type(Representation representation) {
  switch (representation) {
    case Representation::json:
      return "application/json";
    case Representation::ndjson:
      return "application/x-ndjson";
    case Representation::csv:
      return "text/csv; charset=utf-8";
  }
  return "";
}

std::optional<Representation> negotiate(std::string_view header) {
  const std::string accept = lower_case(header);
  if (trim(accept).empty()) return Representation::json;
  constexpr std::array<std::pair<std::string_view, Representation>, 3> kOffers = {
      {{"application/json", Representation::json},
       {"application/x-ndjson", Representation::ndjson},
       {"text/csv", Representation::csv}}};
  // For each offer the weight of the most specific range that covers it.
  std::array<double, kOffers.size()> weights{};
  std::array<std::size_t, kOffers.size()> specificity{};
  for (std::string_view rest = accept; !rest.empty();) {
    auto parameters = take_item(rest, ',');
    const auto range = trim(take_item(parameters, ';'));
    for (std::size_t i = 0; i < kOffers.size(); ++i) {
      const auto offer = kOffers[i].first;
      const auto family = std::string(offer.substr(0, offer.find('/'))) + "/*";
      const std::size_t fits = boost::beast::iequals(range, offer)    ? 3
                               : boost::beast::iequals(range, family) ? 2
                               : range == "*/*"                       ? 1
                                                                      : 0;
      if (fits < specificity[i] || fits == 0) continue;
      specificity[i] = fits;
      weights[i] = weight(parameters);
    }
  }
  std::optional<Representation> best;
  double best_weight = 0;
  for (std::size_t i = 0; i < kOffers.size(); ++i) {
    if (weights[i] <= best_weight) continue;
    best = kOffers[i].second;
    best_weight = weights[i];
  }
  return best;
}

}  // namespace dwell
