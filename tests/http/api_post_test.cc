// POST /timeline of the API, without sockets.
#include <boost/json/serialize.hpp>

#include "http/wire/gzip.h"
#include "tests/http/api_under_test.h"

namespace dwell {
namespace {

namespace json = boost::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST_F(ApiTest, APostIsAnsweredWithItsOutcomes) {
  const auto reply = post(events(std::string(kEvent) + "," + kEvent));
  EXPECT_EQ(reply.status, Status::created);
  EXPECT_EQ(reply.body, "{\"outcomes\":[\"accepted\",\"accepted\"]}\n");
  const std::string record = R"({"device_id":"a","event_type":"device_enter","timestamp":1000})";
  EXPECT_THAT(intake_.submitted, ElementsAre(record + record));
}

TEST_F(ApiTest, APostOfNothingStoresNothing) {
  const auto reply = post(events(""));
  EXPECT_EQ(reply.status, Status::created);
  EXPECT_EQ(reply.body, "{\"outcomes\":[]}\n");
  EXPECT_THAT(intake_.submitted, IsEmpty());
}

TEST_F(ApiTest, AnEventThatIsNoneRefusesThePostUnlessItIsPartial) {
  const std::string list = std::string("7,") + kEvent;
  const auto refused = post(events(list));
  EXPECT_EQ(problem_in(refused), "400 invalid-event");
  EXPECT_EQ(json::parse(refused.body).as_object().at("errors").as_array().size(), 1u);
  EXPECT_THAT(intake_.submitted, IsEmpty());

  const auto partial = post(events(list), "?partial=true");
  EXPECT_EQ(partial.status, Status::created);
  const auto body = json::parse(partial.body).as_object();
  EXPECT_EQ(json::serialize(body.at("outcomes")), "[null,\"accepted\"]");
  EXPECT_EQ(body.at("errors").as_array().at(0).as_object().at("index"), 0);
  EXPECT_EQ(intake_.submitted.size(), 1u);

  EXPECT_EQ(post(events("7"), "?partial=true").status, Status::created);
  EXPECT_EQ(intake_.submitted.size(), 1u);
}

TEST_F(ApiTest, BadEventsAreListedUpToABound) {
  std::string list = "0";
  for (int i = 1; i < 150; ++i) list += ",0";
  const auto body = json::parse(post(events(list)).body).as_object();
  EXPECT_EQ(body.at("errors").as_array().size(), 100u);
}

TEST_F(ApiTest, AnEventLongerThanARecordIsNamed) {
  const std::string type(1 << 20, 'x');
  const auto long_event =
      R"({"deviceID":"a","eventType":")" + type + R"(","timestamp":"1970-01-01T00:00:01Z"})";
  const auto body = events(fmt::format("{},{},{}", kEvent, long_event, kEvent));
  const auto refused = post(body);
  EXPECT_EQ(problem_in(refused), "400 invalid-event");
  const auto errors = json::parse(refused.body).at("errors").as_array();
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_EQ(errors[0].at("index"), 1);
  EXPECT_EQ(errors[0].at("member"), "");
  EXPECT_LT(refused.body.size(), 1'000u);
  EXPECT_THAT(intake_.submitted, IsEmpty());

  const auto partial = json::parse(post(body, "?partial=true").body);
  EXPECT_EQ(json::serialize(partial.at("outcomes")), R"(["accepted",null,"accepted"])");
  EXPECT_EQ(partial.at("errors").at(0).at("index"), 1);
  ASSERT_EQ(intake_.submitted.size(), 1u);
  EXPECT_EQ(count_of(intake_.submitted[0], "device_enter"), 2u);
  EXPECT_EQ(count_of(intake_.submitted[0], "xxxx"), 0u);
}

TEST_F(ApiTest, OtherPostsAreProblems) {
  EXPECT_EQ(problem_in(post("no json")), "400 invalid-body");
  EXPECT_THAT(post(R"({"events":[1]})").body, HasSubstr("event 0: an event must be an object; "));
  EXPECT_EQ(problem_in(post("")), "400 invalid-body");
  EXPECT_EQ(problem_in(post(events(kEvent), "", "text/plain")), "415 unsupported-media-type");
  EXPECT_EQ(problem_in(post(events(kEvent), "", "application/+json")),
            "415 unsupported-media-type");
  for (const char* type : {"", "application/json", "Application/JSON; charset=utf-8",
                           "application/cloudevents+json", "application/x-ndjson"}) {
    EXPECT_EQ(post(kEvent, "", type).status, Status::created) << type;
  }
}

TEST_F(ApiTest, LinesAreEventsWhereTheTypeSaysSo) {
  const std::string lines = fmt::format("{}\n\n{}\n", kEvent, kEvent);
  EXPECT_EQ(problem_in(post(lines)), "400 invalid-body");
  for (const char* type : {"application/x-ndjson", "Application/NDJSON; charset=utf-8"}) {
    EXPECT_EQ(post(lines, "", type).body, "{\"outcomes\":[\"accepted\",\"accepted\"]}\n") << type;
  }
}

TEST_F(ApiTest, ACompressedBodyIsUnpacked) {
  std::string packed;
  Gzip().add(events(kEvent), true, packed);
  for (const char* coding : {"gzip", "GZIP", "x-gzip"}) {
    EXPECT_EQ(post(packed, "", "application/json", coding).status, Status::created) << coding;
  }
  EXPECT_EQ(problem_in(post(events(kEvent), "", "application/json", "gzip")), "400 invalid-body");
  EXPECT_EQ(problem_in(post(packed + "x", "", "application/json", "gzip")), "400 invalid-body");
  for (const char* coding : {"br", "gzip, gzip", "deflate"}) {
    const auto refused = post(packed, "", "application/json", coding);
    EXPECT_EQ(problem_in(refused), "415 unsupported-media-type") << coding;
    EXPECT_EQ(header(refused, "Accept-Encoding"), "gzip") << coding;
  }
  EXPECT_EQ(intake_.submitted.size(), 3u);
}

TEST_F(ApiTest, APostOfWhichAllIsRejectedIs422) {
  intake_.outcomes = {Outcome::future_timestamp, Outcome::too_late};
  const std::string list = fmt::format("7,{},{}", kEvent, kEvent);
  const auto reply = post(events(list), "?partial=true");
  EXPECT_EQ(problem_in(reply), "422 rejected");
  EXPECT_EQ(header(reply, "Dwell-Rejected"), "2");
  const auto body = json::parse(reply.body).as_object();
  EXPECT_EQ(json::serialize(body.at("outcomes")), R"([null,"future_timestamp","too_late"])");
  EXPECT_EQ(body.at("errors").as_array().size(), 1u);
  EXPECT_THAT(std::string(body.at("detail").as_string()),
              HasSubstr("event 1: future_timestamp: its time is further ahead"));
  EXPECT_EQ(intake_.submitted.size(), 1u);
}

TEST_F(ApiTest, SomeRejectedEventsAreCounted) {
  for (const Outcome other : {Outcome::accepted, Outcome::duplicate, Outcome::ignored}) {
    intake_.outcomes = {Outcome::past_timestamp, other};
    const auto reply = post(events(fmt::format("{},{}", kEvent, kEvent)));
    EXPECT_EQ(reply.status, Status::created);
    EXPECT_EQ(header(reply, "Dwell-Rejected"), "1");
  }
  intake_.outcomes.clear();
  EXPECT_EQ(header(post(events(kEvent)), "Dwell-Rejected"), "");
  EXPECT_EQ(post(events("7"), "?partial=true").status, Status::created);
}

TEST_F(ApiTest, WhatAnIntakeNeverTakesIsTheClientsToMend) {
  intake_.error = Error{ErrorKind::invalid, "an event is longer than the topic takes"};
  const auto refused = post(events(kEvent));
  EXPECT_EQ(problem_in(refused), "400 invalid-event");
  EXPECT_EQ(header(refused, "Retry-After"), "");
}

TEST_F(ApiTest, ErrorsOfTheIntakeAreProblems) {
  const std::pair<ErrorKind, const char*> expectations[] = {
      {ErrorKind::retry_later, "503 unavailable"},
      {ErrorKind::unknown_outcome, "503 unknown-outcome"},
      {ErrorKind::fatal, "500 internal"},
  };
  for (const auto& [kind, expected] : expectations) {
    intake_.error = Error{kind, "planned"};
    const auto reply = post(events(kEvent));
    EXPECT_EQ(problem_in(reply), expected);
    EXPECT_EQ(header(reply, "Retry-After"),
              reply.status == Status::internal_server_error ? "" : "1");
  }
}

}  // namespace
}  // namespace dwell
