#include "http/wire/reply.h"

#include <boost/json/parse.hpp>
#include <gmock/gmock.h>

namespace dwell {
namespace {

using ::testing::Contains;
using ::testing::IsEmpty;
using ::testing::Pair;

TEST(Problem, IsAsTheStandardSays) {
  const auto reply = problem(Status::bad_request, "invalid-parameter", "say \"more\"", "limit");
  EXPECT_EQ(reply.status, Status::bad_request);
  EXPECT_EQ(reply.content_type, "application/problem+json");
  EXPECT_THAT(reply.headers, IsEmpty());
  EXPECT_TRUE(reply.body.ends_with("}\n"));
  const auto body = boost::json::parse(reply.body).as_object();
  EXPECT_EQ(body.at("type"), "urn:dwell:invalid-parameter");
  EXPECT_EQ(body.at("title"), "Bad Request");
  EXPECT_EQ(body.at("status"), 400);
  EXPECT_EQ(body.at("detail"), "say \"more\"");
  EXPECT_EQ(body.at("parameter"), "limit");
}

TEST(Problem, NamesNoParameterWhenThereIsNone) {
  const auto reply = problem(Status::not_found, "no-such-resource", "nothing here");
  EXPECT_FALSE(boost::json::parse(reply.body).as_object().contains("parameter"));
}

TEST(Problem, OfEachKindOfError) {
  struct Expectation {
    ErrorKind kind;
    Status status;
    const char* type;
  };
  const Expectation expectations[] = {
      {ErrorKind::invalid, Status::bad_request, "urn:dwell:invalid"},
      {ErrorKind::not_found, Status::not_found, "urn:dwell:not-found"},
      {ErrorKind::retry_later, Status::service_unavailable, "urn:dwell:unavailable"},
      {ErrorKind::aborted, Status::service_unavailable, "urn:dwell:unavailable"},
      {ErrorKind::lost_ownership, Status::service_unavailable, "urn:dwell:unavailable"},
      {ErrorKind::unknown_outcome, Status::service_unavailable, "urn:dwell:unknown-outcome"},
      {ErrorKind::fatal, Status::internal_server_error, "urn:dwell:internal"},
  };
  for (const auto& [kind, status, type] : expectations) {
    const auto reply = problem(Error{kind, "the disk is full"});
    EXPECT_EQ(reply.status, status) << name(kind);
    const auto body = boost::json::parse(reply.body).as_object();
    EXPECT_EQ(body.at("type"), type) << name(kind);
    EXPECT_TRUE(body.at("detail").as_string().starts_with("the disk is full")) << name(kind);
    if (status == Status::service_unavailable) {
      EXPECT_THAT(reply.headers, Contains(Pair("Retry-After", "1"))) << name(kind);
    } else {
      EXPECT_THAT(reply.headers, IsEmpty()) << name(kind);
    }
  }
}

TEST(StoreProblem, IsNeverTheClients) {
  for (const ErrorKind kind : {ErrorKind::invalid, ErrorKind::not_found, ErrorKind::fatal}) {
    const auto reply = store_problem({kind, "file is not a database"});
    EXPECT_EQ(reply.status, Status::internal_server_error) << name(kind);
    EXPECT_EQ(boost::json::parse(reply.body).as_object().at("type"), "urn:dwell:internal");
  }
  for (const ErrorKind kind : {ErrorKind::retry_later, ErrorKind::aborted,
                               ErrorKind::lost_ownership, ErrorKind::unknown_outcome}) {
    EXPECT_EQ(store_problem({kind, "away"}).status, Status::service_unavailable) << name(kind);
  }
}

TEST(Reply, AProblemIsJsonWhateverItNames) {
  const Reply reply = problem(Status::bad_request, "a", "no \xff", "\xc3x\xff");
  const auto body = boost::json::parse(reply.body).as_object();
  EXPECT_EQ(body.at("detail"), "no ?");
  EXPECT_EQ(body.at("parameter"), "?x?");
  const Reply other = problem(Status::bad_request, "a", "b", "T\xc3\xbcr");
  EXPECT_EQ(boost::json::parse(other.body).as_object().at("parameter"), "T\xc3\xbcr");
}

}  // namespace
}  // namespace dwell
