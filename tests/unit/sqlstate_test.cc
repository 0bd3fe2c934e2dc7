#include "postgres/sqlstate.h"

#include <gmock/gmock.h>

namespace dwell {
namespace {

using enum SqlRemedy;

TEST(Sqlstate, WhatTheServerOrItsAdministratorCanMendIsTriedAgain) {
  for (const char* state :
       {"",      "08006", "0A001", "22P03", "25006", "28P01", "28000", "3D000", "3F000", "40001",
        "40P01", "42501", "42P01", "42703", "42883", "53100", "53300", "53400", "55000", "55P03",
        "57014", "57P01", "57P03", "58030", "58P01", "F0000", "XX000", "XX001"}) {
    EXPECT_EQ(sql_remedy(state), try_again) << state;
    EXPECT_EQ(sql_error_kind(state), ErrorKind::retry_later) << state;
  }
}

TEST(Sqlstate, ARowThatCannotBeStoredIsRefused) {
  for (const char* state : {"22001", "22003", "22021", "22P05", "23502", "23503", "23514", "44000",
                            "54000", "P0001", "38000", "27000"}) {
    EXPECT_EQ(sql_remedy(state), refuse_row) << state;
    EXPECT_EQ(sql_error_kind(state), ErrorKind::fatal) << state;
  }
  EXPECT_EQ(sql_remedy("DW042"), refuse_row) << "RAISE ... USING ERRCODE";
}

TEST(Sqlstate, AStatementThatFitsNoMoreIsPreparedAnew) {
  for (const char* state : {"0A000", "26000", "42P05"}) {
    EXPECT_EQ(sql_remedy(state), prepare) << state;
    EXPECT_EQ(sql_error_kind(state), ErrorKind::retry_later) << state;
  }
}

TEST(Sqlstate, EachClassStandsOnceAndSaysWhatItIs) {
  std::vector<std::string_view> prefixes;
  for (const SqlClass& one : sql_classes()) {
    EXPECT_TRUE(one.prefix.size() == 2 || one.prefix.size() == 5) << one.prefix;
    EXPECT_FALSE(one.what.empty()) << one.prefix;
    EXPECT_THAT(prefixes, ::testing::Not(::testing::Contains(one.prefix)));
    prefixes.push_back(one.prefix);
  }
}

}  // namespace
}  // namespace dwell
