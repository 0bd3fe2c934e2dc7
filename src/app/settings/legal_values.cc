#include "app/settings/legal_values.h"

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <climits>
#include <string>

#include "app/settings/units.h"
#include "base/printable.h"
#include "core/decoder.h"
#include "core/mapping.h"

namespace dwell {
namespace {

constexpr std::size_t kLongestGroup = 200;  // Dwell appends to it
constexpr std::uint64_t kLastPort = 65'535;

bool is_of_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '-' || c == '_';
}

bool is_port(std::string_view text, std::uint64_t first) {
  const auto port = parse_count(text);
  return port && *port >= first && *port <= kLastPort;
}

std::string_view without_brackets(std::string_view host) {
  const bool has_brackets = host.starts_with('[') && host.ends_with(']');
  return has_brackets ? host.substr(1, host.size() - 2) : host;
}

bool is_broker(std::string_view text) {
  if (const auto protocol = text.find("://"); protocol != text.npos) {
    text.remove_prefix(protocol + 3);
  }
  const auto bracket = text.rfind(']');
  const auto colon = text.rfind(':');
  const bool has_port = colon != text.npos && (bracket == text.npos || colon > bracket);
  if (has_port && !is_port(text.substr(colon + 1), 1)) return false;
  const auto host = without_brackets(has_port ? text.substr(0, colon) : text);
  return !host.empty() && std::all_of(host.begin(), host.end(),
                                      [](char c) { return is_of_name(c) || c == ':' || c == '%'; });
}

}  // namespace

bool is_path(std::string_view text) {
  return !text.empty() && text.size() < PATH_MAX && text.find('\0') == text.npos;
}

bool is_listen_address(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == text.npos || !is_port(text.substr(colon + 1), 0)) return false;
  const auto host = without_brackets(text.substr(0, colon));
  if (host == "localhost") return true;
  if (host.find('\0') != host.npos) return false;
  boost::system::error_code error;
  boost::asio::ip::make_address(std::string(host), error);
  return !error;
}

bool is_broker_list(std::string_view text) {
  for (;;) {
    const auto comma = std::min(text.find(','), text.size());
    auto broker = text.substr(0, comma);
    while (broker.starts_with(' ')) broker.remove_prefix(1);
    while (broker.ends_with(' ')) broker.remove_suffix(1);
    if (!is_broker(broker)) return false;
    if (comma == text.size()) return true;
    text.remove_prefix(comma + 1);
  }
}

bool is_kafka_name(std::string_view text, std::size_t longest) {
  return !text.empty() && text.size() <= longest && text != "." && text != ".." &&
         std::all_of(text.begin(), text.end(), is_of_name);
}

bool is_group_name(std::string_view text) {
  return !text.empty() && text.size() <= kLongestGroup && printable(text) == text;
}

bool are_places(const std::vector<std::string>& all) {
  return all.size() <= kMostAlternatives &&
         std::all_of(all.begin(), all.end(),
                     [](const auto& one) { return !parts_of_place(one, false).empty(); });
}

bool are_id_places(const std::vector<std::string>& all) {
  return all.size() <= kMostAlternatives &&
         std::all_of(all.begin(), all.end(),
                     [](const auto& one) { return !parts_of_place(one, true).empty(); });
}

bool are_type_names(const std::vector<std::string>& all) {
  return all.size() <= kMostTypes && std::all_of(all.begin(), all.end(), [](const auto& one) {
           return one.size() <= kLongestPlace && is_plain_text(one);
         });
}

}  // namespace dwell
