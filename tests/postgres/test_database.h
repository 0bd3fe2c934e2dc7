#pragma once

#include <cstdlib>
#include <gtest/gtest.h>
#include <memory>
#include <string>

#include "postgres/connection.h"
#include "postgres/pool.h"

namespace dwell {

// The database that DWELL_TEST_POSTGRES names; test_store_contract.py makes it.
inline PgOptions test_database() {
  const char* url = std::getenv("DWELL_TEST_POSTGRES");
  return {.url = url ? url : ""};
}

// How many connections a reader of it may have: DWELL_TEST_CONNECTIONS, or as many as by default.
inline std::size_t test_connections() {
  const char* count = std::getenv("DWELL_TEST_CONNECTIONS");
  return count ? std::stoul(count) : PgPoolOptions().connections;
}

inline std::unique_ptr<PgConnection> connect() {
  auto connection = PgConnection::open(test_database());
  EXPECT_TRUE(connection) << connection.error().message;
  return std::move(*connection);
}

}  // namespace dwell
