#pragma once

#include <chrono>
#include <string>

namespace dwell {

struct PgOptions {
  // As libpq takes it: postgresql://USER:PASSWORD@HOST:PORT/DATABASE or "host=... dbname=...". What
  // is not said comes from PGHOST and the like.
  std::string url;
  std::chrono::seconds connect_timeout{5};
  std::chrono::milliseconds statement_timeout{30'000};  // 0: none
  // What an answer may take beyond statement_timeout; then the server is silent, and the connection
  // counts as broken. TCP cannot tell: a server that stands still, or a proxy before it, still
  // confirms what it gets.
  std::chrono::milliseconds silence{5'000};
  std::string session = {};  // more statements that begin a session: SET NAME = VALUE; ...
};

}  // namespace dwell
