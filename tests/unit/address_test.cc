#include "postgres/address.h"

#include <gmock/gmock.h>

#include "postgres/connection.h"

namespace dwell {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Address, WhatLibpqUnderstandsIsTaken) {
  for (const char* address :
       {"", "dwell", "postgresql://", "postgresql://u:p%40%2F%3A%25@h:5432/d?sslmode=require",
        "postgres://u@h1:1,h2:2/d", "postgresql://[::1]:5432/d", "postgresql://u:p?q:r@h/d",
        "postgresql://%2Fvar%2Frun/d", "host=/var/run dbname=my@name password='a b'",
        "host=a,b port=1,2"}) {
    EXPECT_TRUE(check_address(address)) << address;
  }
}

TEST(Address, NothingOfOneThatIsNotUnderstoodIsTold) {
  for (const char* address : {"postgresql://dwell:pa@SEKRIT@127.0.0.1/d",
                              "postgresql://dwell:SEKRIT@[::1/d",
                              "postgresql://dwell:SEKRIT%zz@h/d",
                              "host=h password=my SEKRIT dbname=d",
                              "postgresql://dwell:pa/SEKRIT@h/d",
                              "postgresql://dwell:SEKRIT",
                              "postgresql://u:SEKRIT/d",
                              "postgresql://u:p@SE:SEKRIT@h/d",
                              "postgresql://u:p@SEKRIT/x@h/d",
                              "postgres:/dwell:SEKRIT@h/d",
                              "dwell:SEKRIT@h/d?sslmode=require",
                              "u:SEKRIT@h",
                              "host=u:SEKRIT@h dbname=d",
                              "hostaddr=SEKRIT@1.2.3.4 dbname=d",
                              "host=h port=SEKRIT",
                              "password='SEKRIT",
                              "passwrod=SEKRIT",
                              "host=h,password=SEKRIT",
                              "user=u;password=SEKRIT",
                              "host=h;password=SEKRIT dbname=d",
                              "host=h dbname=d,password=SEKRIT"}) {
    const auto checked = check_address(address);
    ASSERT_FALSE(checked) << address;
    EXPECT_EQ(checked.error().kind, ErrorKind::invalid) << address;
    EXPECT_THAT(checked.error().message, HasSubstr("database.url"));
    EXPECT_THAT(checked.error().message, Not(HasSubstr("SEKRIT"))) << address;
    const auto opened = PgConnection::open({.url = address});
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().message, checked.error().message) << address;
  }
}

TEST(Address, AConnectionThatDoesNotOpenTellsNoSecret) {
  for (const char* address :
       {"postgresql://u:SEKRIT@127.0.0.1:1/d", "host=127.0.0.1 port=1 password=SEKRIT",
        "postgresql://u:SEKRIT@SEKRIT.invalid:1/d",
        "host=127.0.0.1 port=1 sslpassword=SEKRIT sslmode=SEKRIT"}) {
    const auto opened = PgConnection::open({.url = address});
    ASSERT_FALSE(opened) << address;
    EXPECT_THAT(opened.error().message, Not(HasSubstr("SEKRIT"))) << address;
    EXPECT_EQ(opened.error().kind, ErrorKind::retry_later) << address;
  }
}

}  // namespace
}  // namespace dwell
