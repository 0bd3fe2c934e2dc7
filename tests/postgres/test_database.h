#pragma once

#include <cstdlib>
#include <gtest/gtest.h>
#include <memory>

#include "postgres/connection.h"

namespace dwell {

// The database that DWELL_TEST_POSTGRES names; test_store_contract.py makes it.
inline PgOptions test_database() {
  const char* url = std::getenv("DWELL_TEST_POSTGRES");
  return {.url = url ? url : ""};
}

inline std::unique_ptr<PgConnection> connect() {
  auto connection = PgConnection::open(test_database());
  EXPECT_TRUE(connection) << connection.error().message;
  return std::move(*connection);
}

}  // namespace dwell
