#include "http/api/timeline_body.h"

#include <algorithm>
#include <array>
#include <boost/beast/core/string.hpp>
#include <boost/json/serialize.hpp>
#include <charconv>
#include <fmt/format.h>
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

// The weight of a media range, 1 unless a q parameter says less.
double weight(std::string_view parameters) {
  while (!parameters.empty()) {
    const auto semicolon = std::min(parameters.find(';'), parameters.size());
    const auto parameter = trim(parameters.substr(0, semicolon));
    parameters.remove_prefix(std::min(semicolon + 1, parameters.size()));
    if (!parameter.starts_with("q=")) continue;
    double value = 0;
    std::from_chars(parameter.data() + 2, parameter.data() + parameter.size(), value);
    return value > 0 ? std::min(value, 1.0) : 0;  // 0 for what is no number, too
  }
  return 1;
}

// RFC 4180.
std::string csv_quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + '"';
}

std::string json_quoted(std::string_view text) {
  return boost::json::serialize(boost::json::string_view(text.data(), text.size()));
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
    const auto comma = std::min(rest.find(','), rest.size());
    const auto item = rest.substr(0, comma);
    rest.remove_prefix(std::min(comma + 1, rest.size()));
    const auto semicolon = std::min(item.find(';'), item.size());
    const auto range = trim(item.substr(0, semicolon));
    for (std::size_t i = 0; i < kOffers.size(); ++i) {
      const auto offer = kOffers[i].first;
      const auto family = std::string(offer.substr(0, offer.find('/'))) + "/*";
      const std::size_t fits = boost::beast::iequals(range, offer)    ? 3
                               : boost::beast::iequals(range, family) ? 2
                               : range == "*/*"                       ? 1
                                                                      : 0;
      if (fits < specificity[i] || fits == 0) continue;
      specificity[i] = fits;
      weights[i] = weight(item.substr(semicolon));
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

TimelineWriter::TimelineWriter(Representation representation, std::string_view device)
    : representation_(representation) {
  const bool is_csv = representation == Representation::csv;
  device_ = is_csv ? csv_quoted(device) : json_quoted(device);
  for (const auto type : {EventType::enter, EventType::exit}) {
    before_[static_cast<std::size_t>(type)] = before(wire_name(type));
  }
  after_ = is_csv ? "\r\n" : representation == Representation::ndjson ? "\"}\n" : "\"}";
}

std::string TimelineWriter::before(std::string_view type_name) const {
  if (representation_ == Representation::csv) {
    const bool is_plain = type_name.find_first_of("\",\r\n") == std::string_view::npos;
    return fmt::format("{},{},", device_,
                       is_plain ? std::string(type_name) : csv_quoted(type_name));
  }
  return fmt::format(R"({{"deviceID":{},"eventType":{},"timestamp":")", device_,
                     json_quoted(type_name));
}

void TimelineWriter::begin(std::string& out) const {
  if (representation_ == Representation::json) out += "{\"events\":[";
  if (representation_ == Representation::csv) out += "deviceID,eventType,timestamp\r\n";
}

void TimelineWriter::add(const Row& row, std::string& out) {
  if (representation_ == Representation::json && count_ > 0) out += ',';
  if (row.other_type.empty()) {
    out += before_[static_cast<std::size_t>(row.type)];
  } else {
    out += before(row.other_type);
  }
  times_.append(out, row.timestamp);
  out += after_;
  ++count_;
}

void TimelineWriter::end(const std::optional<std::string>& next, std::string& out) const {
  switch (representation_) {
    case Representation::json:
      out += next ? fmt::format("],\"next\":\"{}\"}}\n", *next) : "]}\n";
      return;
    case Representation::ndjson:
      out += fmt::format("{{\"end\":true,\"events\":{}", count_);
      out += next ? fmt::format(",\"next\":\"{}\"}}\n", *next) : "}\n";
      return;
    case Representation::csv:
      out += fmt::format("# end,{}\r\n", count_);
      return;
  }
}

}  // namespace dwell
