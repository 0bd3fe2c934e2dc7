#include "http/wire/known_hosts.h"

#include <algorithm>
#include <array>
#include <boost/asio/ip/address.hpp>
#include <unistd.h>

#include "http/wire/target.h"

namespace dwell {
namespace {

namespace http = boost::beast::http;

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

// The host of HOST, HOST:PORT or [ADDRESS]:PORT, in lower case; an address without its brackets.
std::string name_of(std::string_view authority) {
  if (authority.starts_with('[')) {
    return lower_case(authority.substr(1, authority.find(']') - 1));
  }
  authority = authority.substr(0, authority.find(':'));
  if (authority.ends_with('.')) authority.remove_suffix(1);  // of a name that is complete
  return lower_case(authority);
}

// The host of SCHEME://HOST:PORT; empty for `null`.
std::string name_of_origin(std::string_view origin) {
  const auto authority = origin.find("://");
  return authority == std::string_view::npos ? std::string()
                                             : name_of(origin.substr(authority + 3));
}

bool is_address(const std::string& name) {
  boost::system::error_code error;
  boost::asio::ip::make_address(name, error);
  return !error;
}

std::string own_name() {
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  return lower_case(name.data());
}

// What others watch the process by, under whatever name they know it.
bool is_probe(std::string_view text) {
  const auto target = parse_target(text);
  if (!target || target->segments.size() != 1) return false;
  const std::string& path = target->segments.front();
  return path == "livez" || path == "readyz" || path == "health";
}

}  // namespace

KnownHosts::KnownHosts(std::vector<std::string> named, bool is_loopback)
    : own_name_(own_name()), is_strict_(is_loopback || !named.empty()) {
  for (const std::string& name : named) named_.push_back(lower_case(name));
}

bool KnownHosts::is_named(std::string_view name) const {
  return std::find(named_.begin(), named_.end(), name) != named_.end();
}

// A page of the internet has a name with a dot, and cannot make the browser say another one.
bool KnownHosts::knows(std::string_view name) const {
  return name.find('.') == std::string_view::npos || name.ends_with(".localhost") ||
         name == own_name_ || is_named(name) || is_address(std::string(name));
}

std::optional<Reply> KnownHosts::find_stranger(const RequestHead& head) const {
  const auto host_field = head.find(http::field::host);
  const std::string host = host_field == head.end() ? "" : name_of(host_field->value());
  if (is_strict_ && !knows(host) && !is_probe(head.target())) {
    return problem(Status::misdirected_request, "misdirected-request",
                   "this service does not know itself by the name in the Host header; add the "
                   "name to the setting http.hosts, or use an IP address or localhost");
  }
  const auto origin_field = head.find(http::field::origin);
  const bool only_reads = head.method() == http::verb::get || head.method() == http::verb::head;
  if (only_reads || origin_field == head.end()) return std::nullopt;
  const auto site = head["Sec-Fetch-Site"];
  if (site == "same-origin" || site == "none") return std::nullopt;
  const std::string origin = name_of_origin(origin_field->value());
  if (!origin.empty() && (origin == host || is_named(origin))) return std::nullopt;
  return problem(Status::forbidden, "foreign-origin",
                 "a page of another site sent this; add the name of that site to the setting "
                 "http.hosts if it may");
}

}  // namespace dwell
