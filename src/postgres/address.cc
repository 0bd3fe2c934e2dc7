#include "postgres/address.h"

#include <algorithm>
#include <cctype>

namespace dwell {
namespace {

// One in all, in front of the host.
bool has_stray_at(std::string_view uri) {
  const auto rest = uri.substr(uri.find("://") + 3);
  const auto first = rest.find('@');
  if (first == rest.npos) return false;
  return rest.find('@', first + 1) != rest.npos || rest.find('/') < first;
}

bool is_ports(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return std::isdigit(c) != 0 || c == ',' || c == ' '; });
}

bool is_understood(const std::string& address) {
  const bool is_uri = address.starts_with("postgresql://") || address.starts_with("postgres://");
  if (is_uri && has_stray_at(address)) return false;
  // As libpq decides: anything else is the name of a database.
  if (!is_uri && address.find('=') == address.npos) {
    return address.find_first_of("@:/") == address.npos;
  }
  char* reason = nullptr;  // holds what it complains of
  const PgConninfo options(PQconninfoParse(address.c_str(), &reason));
  PQfreemem(reason);
  if (!options) return false;
  for (const PQconninfoOption* option = options.get(); option->keyword; ++option) {
    if (!option->val) continue;
    const std::string_view name = option->keyword;
    const std::string_view value = option->val;
    // Of a password that libpq took for a part of something else: messages name these.
    if ((name == "host" || name == "hostaddr") && value.find_first_of("@=") != value.npos) {
      return false;
    }
    if ((name == "user" || name == "dbname") && value.find("password=") != value.npos) return false;
    if (name == "port" && !is_ports(value)) return false;
  }
  return true;
}

}  // namespace

Result<void> check_address(const std::string& address) {
  if (is_understood(address)) return {};
  return fail(ErrorKind::invalid,
              "database.url: not an address that libpq understands; write "
              "postgresql://USER@HOST:PORT/DATABASE, with %40 %25 %3A %2F for @ % : / in names and "
              "passwords, or keep the password in PGPASSWORD or a password file");
}

}  // namespace dwell
