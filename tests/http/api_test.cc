#include "http/api/api.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <gmock/gmock.h>

#include "http/api/cursor.h"
#include "tests/http/api_under_test.h"

namespace dwell {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST_F(ApiTest, EveryRouteAnswersUnderItsName) {
  store("a/b", 1);
  const std::pair<const char*, const char*> expectations[] = {
      {"/timeline/cam", "/timeline/{device}"},
      {"/timeline/a%2Fb?limit=2", "/timeline/{device}"},
      {"/presence", "/presence"},
      {"/devices/a%2Fb", "/devices/{device}"},
      {"/health", "/health"},
      {"/livez", "/livez"},
      {"/readyz", "/readyz"},
      {"/metrics", "/metrics"},
      {"/openapi.json", "/openapi.json"},
  };
  for (const auto& [target, route] : expectations) {
    for (const auto method : {Method::get, Method::head}) {
      const auto routed = ask(method, target);
      EXPECT_EQ(routed.route, route) << target;
      EXPECT_EQ(routed.reply.status, Status::ok) << target;
    }
    const auto options = ask(Method::options, target);
    EXPECT_EQ(options.route, route);
    EXPECT_EQ(options.reply.status, Status::no_content) << target;
    EXPECT_EQ(header(options.reply, "Allow"), "GET, HEAD, OPTIONS") << target;
    EXPECT_EQ(options.reply.body + options.reply.content_type, "") << target;
    const auto posted = ask(Method::post, target);
    EXPECT_EQ(posted.route, route);
    EXPECT_EQ(problem_in(posted.reply), "405 method-not-allowed") << target;
    EXPECT_EQ(header(posted.reply, "Allow"), "GET, HEAD, OPTIONS") << target;
  }
}

TEST_F(ApiTest, TimelineItselfTakesPostsAlone) {
  EXPECT_EQ(header(ask(Method::options, "/timeline").reply, "Allow"), "POST, OPTIONS");
  for (const auto method : {Method::get, Method::head, Method::put, Method::delete_}) {
    EXPECT_EQ(problem_in(ask(method, "/timeline").reply), "405 method-not-allowed");
  }
}

TEST_F(ApiTest, OtherTargetsAreProblems) {
  const std::pair<std::string, const char*> expectations[] = {
      {"/", "404 no-such-resource"},
      {"/timeline/", "404 no-such-resource"},
      {"/timeline/a/b", "404 no-such-resource"},
      {"/Timeline/a", "404 no-such-resource"},
      {"/health/", "404 no-such-resource"},
      {"//health", "404 no-such-resource"},
      {"/timeline/%", "400 invalid-target"},
      {"*", "400 invalid-target"},
      {"", "400 invalid-target"},
      {"/" + std::string(kLongestTarget, 'a'), "414 target-too-long"},
  };
  for (const auto& [target, expected] : expectations) {
    const auto routed = ask(Method::get, target);
    EXPECT_EQ(problem_in(routed.reply), expected) << target.substr(0, 50);
    EXPECT_EQ(routed.route, "none");
  }
}

TEST_F(ApiTest, ParametersAreChecked) {
  const std::pair<const char*, const char*> expectations[] = {
      {"/timeline/a?start=now", "400 invalid-parameter start"},
      {"/timeline/a?end=1", "400 invalid-parameter end"},
      {"/timeline/a?limit=0", "400 invalid-parameter limit"},
      {"/timeline/a?order=up", "400 invalid-parameter order"},
      {"/timeline/a?cursor=AAAA", "400 invalid-parameter cursor"},
      {"/timeline/a?at=1970-01-01T00:00:00Z", "400 unknown-parameter at"},
      {"/presence?at=now", "400 invalid-parameter at"},
      {"/presence?limit=x", "400 invalid-parameter limit"},
      {"/presence?cursor=AAAA", "400 invalid-parameter cursor"},
      {"/presence?at=1970-01-01T00:00:00Z&cursor=AAAA", "400 invalid-parameter cursor"},
      {"/presence?start=1970-01-01T00:00:00Z", "400 unknown-parameter start"},
      {"/devices/a?limit=1", "400 unknown-parameter limit"},
  };
  for (const auto& [target, expected] : expectations) {
    EXPECT_EQ(problem_in(get(target)), expected) << target;
  }
  EXPECT_EQ(problem_in(post(events(kEvent), "?partial=yes")), "400 invalid-parameter partial");
  EXPECT_EQ(problem_in(post(events(kEvent), "?dry=true")), "400 unknown-parameter dry");
}

TEST_F(ApiTest, ATimelineIsAnsweredInRowOrder) {
  store("cam", 3);
  EXPECT_EQ(get("/timeline/cam?start=1970-01-01T00:00:02Z").body,
            R"({"events":[)"
            R"({"deviceID":"cam","eventType":"device_exit","timestamp":"1970-01-01T00:00:02Z"},)"
            R"({"deviceID":"cam","eventType":"device_enter","timestamp":"1970-01-01T00:00:03Z"}]})"
            "\n");
  const std::pair<const char*, std::size_t> expectations[] = {
      {"", 3},
      {"?end=1970-01-01T00:00:02Z", 2},
      {"?start=1970-01-01T00:00:02Z&end=1970-01-01T00:00:02Z", 1},
      {"?start=1970-01-01T02:00:02%252B02:00", 2},
      {"?start=1970-01-01T02:00:02%2B02:00", 2},
      {"?start=1970-01-01T02:00:02+02:00", 2},
  };
  for (const auto& [query, count] : expectations) {
    const auto reply = get("/timeline/cam" + std::string(query));
    EXPECT_EQ(count_of(reply.body, "deviceID"), count) << query;
    EXPECT_EQ(header(reply, "Vary"), "Accept, Accept-Encoding");
  }
}

TEST_F(ApiTest, ATimelineWithoutRowsIsEmpty) {
  store("cam", 3);
  for (const char* target : {"/timeline/unknown", "/timeline/unknown?limit=5", "/timeline/%00",
                             "/timeline/cam?start=1970-01-01T00:00:03Z&end=1970-01-01T00:00:01Z"}) {
    EXPECT_EQ(get(target).body, "{\"events\":[]}\n") << target;
  }
}

TEST_F(ApiTest, ATimelineComesInTheFormAskedFor) {
  store("cam", 2);
  EXPECT_EQ(get("/timeline/cam", "text/csv").content_type, "text/csv; charset=utf-8");
  EXPECT_THAT(get("/timeline/cam", "application/x-ndjson").body,
              testing::EndsWith("{\"end\":true,\"events\":2}\n"));
  EXPECT_EQ(problem_in(get("/timeline/cam", "image/png")), "406 not-acceptable");
}

TEST_F(ApiTest, PagesOfATimelineJoinToTheWhole) {
  store("a b%", 7);
  for (const char* order : {"asc", "desc"}) {
    const std::string first =
        std::string("/timeline/a%20b%25?start=1970-01-01T00:00:00%2B00:00&order=") + order;
    std::string next = first + "&limit=3";
    std::vector<std::size_t> counts;
    std::string all;
    while (!next.empty() && counts.size() < 5) {
      const auto reply = get(next);
      const auto body = json::parse(reply.body).as_object();
      counts.push_back(body.at("events").as_array().size());
      for (const auto& event : body.at("events").as_array()) all += json::serialize(event);
      const auto link = header(reply, "Link");
      next = link.substr(0, link.find('>'));
      if (!next.empty()) next.erase(0, 1);
      EXPECT_EQ(body.contains("next"), !next.empty());
      if (body.contains("next")) {
        EXPECT_THAT(link, AllOf(HasSubstr(std::string(body.at("next").as_string())),
                                HasSubstr("rel=\"next\"")));
      }
    }
    EXPECT_THAT(counts, ElementsAre(3, 3, 1)) << order;
    std::string whole;
    const auto body = json::parse(get(first).body).as_object();
    for (const auto& event : body.at("events").as_array()) whole += json::serialize(event);
    EXPECT_EQ(all, whole) << order;
  }
}

TEST_F(ApiTest, ACursorBelongsToItsQuery) {
  store("cam", 5);
  const auto body = json::parse(get("/timeline/cam?limit=2").body).as_object();
  const auto cursor = std::string(body.at("next").as_string());
  EXPECT_EQ(get("/timeline/cam?limit=4&cursor=" + cursor).status, Status::ok);
  for (const char* target : {"/timeline/other?limit=2", "/timeline/cam?limit=2&order=desc",
                             "/timeline/cam?limit=2&start=1970-01-01T00:00:01Z"}) {
    EXPECT_EQ(problem_in(get(target + ("&cursor=" + cursor))), "400 invalid-parameter cursor");
  }
}

TEST_F(ApiTest, ALongTimelineIsStreamedWhole) {
  store("cam", 2'500);
  for (const int limit : {0, 2'500}) {
    auto reply = get("/timeline/cam" + (limit ? fmt::format("?limit={}", limit) : ""));
    EXPECT_EQ(reply.more != nullptr, limit == 0);
    ASSERT_TRUE(finish(reply));
    EXPECT_EQ(json::parse(reply.body).as_object().at("events").as_array().size(), 2'500u);
  }
}

TEST_F(ApiTest, AStreamOfExactlyAPageEnds) {
  store("cam", 1'000);
  auto reply = get("/timeline/cam");
  ASSERT_TRUE(finish(reply));
  EXPECT_EQ(json::parse(reply.body).as_object().at("events").as_array().size(), 1'000u);
}

TEST_F(ApiTest, AStreamThatBreaksOffHasNoEndMark) {
  store("cam", 2'500);
  reader_.error = Error{ErrorKind::fatal, "the file is damaged"};
  reader_.good_pages = 2;
  auto reply = get("/timeline/cam", "text/csv");
  EXPECT_EQ(reply.status, Status::ok);
  EXPECT_FALSE(finish(reply));
  EXPECT_EQ(reply.body.find("# end"), std::string::npos);
}

TEST_F(ApiTest, PresenceIsOfNowOrOfAMoment) {
  store("a", 3);  // in from 3 s on
  store("b", 1);  // in from 1 s on
  store("c", 2);  // out from 2 s on
  EXPECT_EQ(get("/presence").body, R"({"at":"1970-01-01T00:00:05.500Z","devices":[)"
                                   R"({"deviceID":"a","since":"1970-01-01T00:00:03Z"},)"
                                   R"({"deviceID":"b","since":"1970-01-01T00:00:01Z"}]})"
                                   "\n");
  const auto before = get("/presence?at=1970-01-01T00:00:01Z");
  EXPECT_EQ(count_of(before.body, "deviceID"), 3u);
  EXPECT_EQ(get("/presence?at=1970-01-01T00:00:00Z").body,
            "{\"at\":\"1970-01-01T00:00:00Z\",\"devices\":[]}\n");
}

TEST_F(ApiTest, PagesOfPresenceStayAtTheirMoment) {
  for (const char* device : {"a", "b/", "c"}) store(device, 1);
  std::string devices;
  std::string next = "/presence?limit=1";
  for (int page = 0; page < 5 && !next.empty(); ++page) {
    const auto reply = get(next);
    const auto body = json::parse(reply.body).as_object();
    EXPECT_EQ(body.at("at"), "1970-01-01T00:00:05.500Z");
    for (const auto& device : body.at("devices").as_array()) {
      devices += device.as_object().at("deviceID").as_string();
    }
    const auto link = header(reply, "Link");
    next = link.substr(0, link.find('>'));
    if (!next.empty()) next.erase(0, 1);
    clock_.sleep(Milliseconds{1'000});
  }
  EXPECT_EQ(devices, "ab/c");
}

TEST_F(ApiTest, APageOfPresenceIsOfOneMomentAlone) {
  store("a", 1);
  store("b", 1);
  const auto body = json::parse(get("/presence?limit=1&at=1970-01-01T00:00:02Z").body).as_object();
  const auto cursor = std::string(body.at("next").as_string());
  EXPECT_EQ(get("/presence?at=1970-01-01T00:00:02Z&cursor=" + cursor).status, Status::ok);
  EXPECT_EQ(problem_in(get("/presence?at=1970-01-01T00:00:03Z&cursor=" + cursor)),
            "400 invalid-parameter cursor");
}

TEST_F(ApiTest, ADeviceIsReported) {
  store("T\u00fcr/1", 3);
  const auto body = json::parse(get("/devices/T%C3%BCr%2F1").body).as_object();
  EXPECT_EQ(body.at("deviceID"), "T\u00fcr/1");
  EXPECT_EQ(body.at("state"), "inside");
  EXPECT_EQ(body.at("since"), "1970-01-01T00:00:03Z");
  EXPECT_EQ(body.at("firstSeen"), "1970-01-01T00:00:01Z");
  EXPECT_EQ(body.at("outcomes").as_object().at("accepted"), 3);
  EXPECT_EQ(problem_in(get("/devices/unknown")), "404 no-such-device");
}

TEST_F(ApiTest, ErrorsOfTheReaderAreProblems) {
  const std::pair<ErrorKind, const char*> expectations[] = {
      {ErrorKind::invalid, "500 internal"},
      {ErrorKind::not_found, "500 internal"},
      {ErrorKind::retry_later, "503 unavailable"},
      {ErrorKind::fatal, "500 internal"},
  };
  for (const auto& [kind, expected] : expectations) {
    reader_.error = Error{kind, "planned"};
    for (const char* target : {"/timeline/a", "/presence", "/devices/a"}) {
      EXPECT_EQ(problem_in(get(target)), expected) << target;
    }
  }
}

TEST_F(ApiTest, TheServiceTellsOfItself) {
  EXPECT_EQ(get("/health").body, "OK");
  EXPECT_EQ(get("/livez").body, "{\"live\":true}\n");
  EXPECT_EQ(get("/readyz").body, "{\"ready\":true,\"reasons\":[]}\n");
  EXPECT_EQ(get("/metrics").body, "a_metric 1\n");
  EXPECT_EQ(json::parse(get("/openapi.json").body).as_object().at("openapi"), "3.1.0");
  not_ready_ = {"the disk is full"};
  const auto reply = get("/readyz");
  EXPECT_EQ(reply.status, Status::service_unavailable);
  EXPECT_EQ(reply.body, "{\"ready\":false,\"reasons\":[\"the disk is full\"]}\n");
  EXPECT_EQ(get("/livez").status, Status::ok);
}

// A reader that would fail is not asked: no store has to know what to make of such bytes.
TEST_F(ApiTest, NoStoreIsAskedForWhatIsNoDeviceId) {
  reader_.error = Error{ErrorKind::fatal, "asked"};
  for (const std::string id : {"%FF", "%00", "lobby%00x", "%C3", "a%0Ab", "%ED%A0%80"}) {
    EXPECT_EQ(get("/timeline/" + id).body, "{\"events\":[]}\n") << id;
    EXPECT_EQ(get("/timeline/" + id + "?limit=1").body, "{\"events\":[]}\n") << id;
    EXPECT_EQ(get("/devices/" + id).status, Status::not_found) << id;
  }
  for (const std::string& id : {std::string("\xff"), std::string("a\0b", 3), std::string("a\n")}) {
    EXPECT_EQ(
        get("/presence?cursor=" + cursor_text(presence_place({from_ms(1), id}), "presence")).status,
        Status::bad_request);
  }
}

}  // namespace
}  // namespace dwell
