#include "http/wire/parameters.h"

#include <boost/json/parse.hpp>
#include <gtest/gtest.h>

namespace dwell {
namespace {

Target target_of(std::string_view query) {
  auto target = parse_target("/t?" + std::string(query));
  EXPECT_TRUE(target) << query;
  return std::move(*target);
}

// "type parameter" of the problem, or "".
std::string problem_of(Parameters& parameters) {
  const auto reply = parameters.problem_found();
  if (!reply) return "";
  EXPECT_EQ(reply->status, Status::bad_request);
  const auto body = boost::json::parse(reply->body).as_object();
  return std::string(body.at("type").as_string()) + ' ' +
         std::string(body.at("parameter").as_string());
}

TEST(Parameters, LimitIsAWholeNumberWithinBounds) {
  const std::pair<const char*, std::optional<std::size_t>> good[] = {
      {"", std::nullopt}, {"limit=1", 1}, {"limit=10000", 10'000}, {"limit=007", 7}};
  for (const auto& [query, expected] : good) {
    const Target target = target_of(query);
    Parameters parameters(target);
    EXPECT_EQ(parameters.limit(), expected) << query;
    EXPECT_EQ(problem_of(parameters), "") << query;
  }
  for (const char* query :
       {"limit", "limit=", "limit=0", "limit=-1", "limit=%2B1", "limit=1.0", "limit=1e3",
        "limit=10001", "limit=ten", "limit=%201", "limit=99999999999999999999"}) {
    const Target target = target_of(query);
    Parameters parameters(target);
    EXPECT_EQ(parameters.limit(), std::nullopt) << query;
    EXPECT_EQ(problem_of(parameters), "urn:dwell:invalid-parameter limit") << query;
  }
}

TEST(Parameters, TimeIsReadOrRefused) {
  const Target target = target_of("start=1970-01-01T00:00:01Z&end=soon");
  Parameters parameters(target);
  EXPECT_EQ(parameters.time("start", kEarliest), from_ms(1'000));
  EXPECT_EQ(parameters.time("at", kLatest), kLatest);
  EXPECT_EQ(parameters.time("end", kLatest), kLatest);
  EXPECT_EQ(problem_of(parameters), "urn:dwell:invalid-parameter end");
}

TEST(Parameters, AChoiceIsOneOfTwoWords) {
  struct Expectation {
    const char* query;
    bool is_second;
    const char* problem;
  };
  const Expectation expectations[] = {
      {"", false, ""},
      {"order=asc", false, ""},
      {"order=desc", true, ""},
      {"order=DESC", false, "urn:dwell:invalid-parameter order"},
      {"order=", false, "urn:dwell:invalid-parameter order"},
  };
  for (const auto& [query, is_second, problem] : expectations) {
    const Target target = target_of(query);
    Parameters parameters(target);
    EXPECT_EQ(parameters.choice("order", "asc", "desc"), is_second) << query;
    EXPECT_EQ(problem_of(parameters), problem) << query;
  }
}

TEST(Parameters, TheFirstWrongOneIsTheProblem) {
  const Target target = target_of("limit=0&order=up&odd=1");
  Parameters parameters(target);
  parameters.choice("order", "asc", "desc");
  parameters.limit();
  EXPECT_EQ(problem_of(parameters), "urn:dwell:invalid-parameter order");
}

TEST(Parameters, OnesNotAskedForAreAProblem) {
  const Target target = target_of("limit=5&strat=1970-01-01T00:00:00Z");
  Parameters parameters(target);
  EXPECT_EQ(parameters.limit(), 5u);
  EXPECT_EQ(parameters.text("cursor"), nullptr);
  EXPECT_EQ(problem_of(parameters), "urn:dwell:unknown-parameter strat");
}

TEST(Parameters, TextIsTakenAsItIs) {
  const Target target = target_of("cursor=%2B%20x&partial=true");
  Parameters parameters(target);
  ASSERT_NE(parameters.text("cursor"), nullptr);
  EXPECT_EQ(*parameters.text("cursor"), "+ x");
  EXPECT_TRUE(parameters.is_true("partial"));
  EXPECT_EQ(problem_of(parameters), "");
}

}  // namespace
}  // namespace dwell
