#include "http/api/events_body.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "core/decoder.h"
#include "tests/http/whole_body.h"

namespace dwell {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kGood =
    R"({"deviceID":"cam-1","eventType":"device_enter","timestamp":"1970-01-01T00:00:01Z"})";

std::string body_of(const std::string& events) {
  return R"({"events":[)" + events + "]}";
}

EventsBody parsed(const std::string& body) {
  auto read = parse_events_body(body);
  EXPECT_TRUE(read) << body;
  return read ? std::move(*read) : EventsBody{};
}

std::vector<std::string> records(const Submission& submission) {
  std::vector<std::string> all;
  std::size_t start = 0;
  for (const std::size_t end : submission.ends) {
    all.push_back(submission.bytes.substr(start, end - start));
    start = end;
  }
  EXPECT_EQ(start, submission.bytes.size());
  return all;
}

TEST(EventsBody, EventsBecomeRecordsOfTheInputFormat) {
  const auto body = parsed(body_of(std::string(kGood) + "," + kGood));
  EXPECT_EQ(body.count, 2u);
  EXPECT_THAT(body.good, ElementsAre(0, 1));
  EXPECT_THAT(body.bad, IsEmpty());
  const char* record = R"({"device_id":"cam-1","event_type":"device_enter","timestamp":1000})";
  EXPECT_THAT(records(body.submission), ElementsAre(record, record));
}

TEST(EventsBody, WhatItTakesTheDecoderTakesToo) {
  for (const char* device : {R"("a/b %+\u0020")", R"("T\u00fcr")", R"("\"\\")", R"("\ud83d\ude00")",
                             "\"T\u00fcr\"", R"("null")"}) {
    const auto body = parsed(body_of(fmt::format(
        R"({{"timestamp":"2025-07-08T12:00:00.250+02:00","eventType":"device_exit","deviceID":{}}})",
        device)));
    ASSERT_THAT(body.good, ElementsAre(0)) << device;
    Decoder decoder{Rule()};
    const auto decoded = decoder.decode({.bytes = body.submission.bytes, .now = kEarliest});
    EXPECT_EQ(decoded.outcome, Outcome::accepted) << device;
    EXPECT_EQ(to_ms(decoded.event.timestamp), 1'751'968'800'250) << device;
  }
}

TEST(EventsBody, SnakeCaseMembersAreReadToo) {
  const auto body = parsed(body_of(
      R"({"device_id":"a","event_type":"heartbeat","timestamp":"1970-01-01T00:00:00Z","x":[{}]})"));
  EXPECT_THAT(records(body.submission),
              ElementsAre(R"({"device_id":"a","event_type":"heartbeat","timestamp":0})"));
}

TEST(EventsBody, NoEventsAreNoError) {
  const auto body = parsed(R"({"events":[],"more":1})");
  EXPECT_EQ(body.count, 0u);
  EXPECT_THAT(body.submission.ends, IsEmpty());
}

TEST(EventsBody, ABadEventIsNamedWithItsMember) {
  const std::string time = R"("timestamp":"1970-01-01T00:00:00Z")";
  const std::string type = R"("eventType":"device_enter",)";
  const std::string long_id(kLongestDeviceId + 1, 'x');
  const std::pair<std::string, const char*> expectations[] = {
      {"1", ""},
      {"null", ""},
      {"[]", ""},
      {"{}", "eventType"},
      {R"({"deviceID":7,)" + type + time + "}", "deviceID"},
      {R"({"deviceID":"",)" + type + time + "}", "deviceID"},
      {R"({"deviceID":null,"device_id":"a",)" + type + time + "}", "deviceID"},
      {R"({"deviceID":"a\u0000b",)" + type + time + "}", "deviceID"},
      {R"({"deviceID":"a\nb",)" + type + time + "}", "deviceID"},
      {R"({"deviceID":"a\u0085b",)" + type + time + "}", "deviceID"},
      {R"({"deviceID":")" + long_id + "\"," + type + time + "}", "deviceID"},
      {R"({"deviceID":"a",)" + time + "}", "eventType"},
      {R"({"deviceID":"a","eventType":"",)" + time + "}", "eventType"},
      {R"({"deviceID":"a","eventType":true,)" + time + "}", "eventType"},
      {R"({"deviceID":"a","eventType":"device_enter"})", "timestamp"},
      {R"({"deviceID":"a",)" + type + R"("timestamp":1000})", "timestamp"},
      {R"({"deviceID":"a",)" + type + R"("timestamp":"1969-12-31T23:59:59Z"})", "timestamp"},
      {R"({"deviceID":"a",)" + type + R"("timestamp":"1970-01-01T00:00:60Z"})", "timestamp"},
  };
  for (const auto& [event, member] : expectations) {
    const auto body = parsed(body_of(std::string(kGood) + "," + event + "," + kGood));
    ASSERT_EQ(body.bad.size(), 1u) << event;
    EXPECT_EQ(body.bad[0].index, 1u) << event;
    EXPECT_EQ(body.bad[0].member, member) << event;
    EXPECT_NE(body.bad[0].detail, "") << event;
    EXPECT_THAT(body.good, ElementsAre(0, 2)) << event;
    EXPECT_EQ(body.submission.ends.size(), 2u) << event;
    EXPECT_EQ(body.count, 3u) << event;
  }
}

TEST(EventsBody, OtherBodiesAreRefused) {
  for (const std::string& body :
       {std::string(), std::string("null"), std::string("[]"), std::string("{}"),
        std::string(R"({"events":null})"), std::string(R"({"events":{}})"),
        std::string(R"({"events":[]})") + "x", std::string(R"({"events":[)"),
        std::string(R"({"events":[1,]})"), std::string("\xff\xfe{}"), body_of("\"\xff\""),
        body_of(std::string(100, '[') + std::string(100, ']')), std::string(1'000'000, '[')}) {
    const auto read = parse_events_body(body);
    ASSERT_FALSE(read) << body.substr(0, 50);
    EXPECT_EQ(read.error().kind, ErrorKind::invalid) << body.substr(0, 50);
  }
}

// The place is that of the whole body, however it is cut.
TEST(EventsBody, WhatIsNoJsonIsToldWithItsPlace) {
  const std::string head = R"({"events":[)";
  const std::string good = std::string(kGood) + ",";
  for (const auto& [body, place] :
       {std::pair(head + "1,}", head.size() + 2), std::pair(head + "]}x", head.size() + 2),
        std::pair(std::string("{} {"), std::size_t{3}), std::pair(std::string(), std::size_t{0}),
        std::pair(head + "[", head.size() + 1),
        std::pair(head + good + good + "?", head.size() + 2 * good.size())}) {
    for (const std::size_t size : {std::size_t{1}, std::size_t{7}, std::size_t{10'000}}) {
      auto reader = reader_of_events();
      for (std::size_t at = 0; at < body.size(); at += size) {
        reader.add(std::string_view(body).substr(at, size));
      }
      const auto read = reader.finish();
      ASSERT_FALSE(read) << body;
      EXPECT_THAT(read.error().message,
                  HasSubstr(fmt::format("the body is not JSON at byte {}: ", place)))
          << body << " in pieces of " << size;
    }
  }
}

TEST(EventsBody, ManySmallValuesAreRefusedBeforeTheyFillTheMemory) {
  std::string numbers = "1";
  for (std::size_t i = 1; i < 8'000'000; ++i) numbers += ",1";
  const auto read = parse_events_body(body_of(numbers));
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().kind, ErrorKind::invalid);
  EXPECT_THAT(read.error().message, HasSubstr("too many values"));
}

TEST(EventsBody, IsTheSameInAnyPieces) {
  const std::string bodies[] = {
      body_of(std::string(kGood) + ", " + kGood),
      R"({"x":{"events":[{"deviceID":"no"}]},"ev\u0065nts":[{"device_id":"a\u00fc\"","eventType":"\n",)"
      R"("timestamp":"1970-01-01T00:00:01.5Z","deviceID_":1,"deviceI":2},7,[{"deviceID":"no"}],{}]} )",
      R"({"events":[],"events":[{"deviceID":"","eventType":"b"}]})",
      R"({"events":[1.5e3,-2,true]}})",
      R"({"events":[],"events":null})",
      body_of("\"\xff\""),
  };
  for (const std::string& body : bodies) {
    const auto whole = parse_events_body(body);
    for (std::size_t size = 1; size < body.size(); ++size) {
      auto reader = reader_of_events();
      for (std::size_t at = 0; at < body.size(); at += size) {
        const std::string piece = body.substr(at, size);
        reader.add(piece);
      }
      const auto pieces = reader.finish();
      ASSERT_EQ(whole.has_value(), pieces.has_value()) << body << ' ' << size;
      if (!whole) {
        EXPECT_EQ(whole.error().message, pieces.error().message) << body << ' ' << size;
        continue;
      }
      EXPECT_EQ(whole->submission.bytes, pieces->submission.bytes) << body << ' ' << size;
      EXPECT_EQ(whole->good, pieces->good) << body << ' ' << size;
      EXPECT_EQ(whole->count, pieces->count) << body << ' ' << size;
      EXPECT_EQ(whole->bad.size(), pieces->bad.size()) << body << ' ' << size;
    }
  }
}

TEST(EventsBody, TheLastOfDuplicateMembersCounts) {
  const auto body = parsed(
      R"({"events":[1,2,3],"events":[{"deviceID":"a","deviceID":"b","eventType":7,"eventType":"c",)"
      R"("timestamp":"1970-01-01T00:00:01Z"}]})");
  EXPECT_EQ(body.count, 1u);
  EXPECT_THAT(body.bad, IsEmpty());
  EXPECT_THAT(records(body.submission),
              ElementsAre(R"({"device_id":"b","event_type":"c","timestamp":1000})"));
  EXPECT_FALSE(parse_events_body(R"({"events":[],"events":1})"));
}

TEST(EventsBody, OnlyItsOwnEventsCount) {
  const auto body = parsed(
      R"({"a":{"events":[1]},"b":[{"deviceID":"x"}],"events":[{"x":{"deviceID":"y"},"deviceID":"z",)"
      R"("eventType":"t","timestamp":"1970-01-01T00:00:01Z","y":[{"deviceID":7}]}],"c":[1,{}]})");
  EXPECT_EQ(body.count, 1u);
  EXPECT_THAT(records(body.submission),
              ElementsAre(R"({"device_id":"z","event_type":"t","timestamp":1000})"));
}

TEST(EventsBody, OfManyBadEventsTheFirstAreTold) {
  std::string events = kGood;
  for (std::size_t i = 0; i < 2 * kMostBadEvents; ++i) events += ",0";
  const auto body = parsed(body_of(events));
  EXPECT_EQ(body.count, 2 * kMostBadEvents + 1);
  EXPECT_EQ(body.bad.size(), kMostBadEvents);
  EXPECT_THAT(body.good, ElementsAre(0));
}

// What can become no list of events is not kept, whatever there is of it.
TEST(EventsBody, HoldsLittleOfWhatIsNoEvent) {
  const std::string many(100'000, 'x');
  for (const std::string& start : {std::string("x"), std::string("["), std::string("{\"a\":\"")}) {
    auto reader = reader_of_events();
    reader.add(start);
    for (int i = 0; i < 100; ++i) reader.add(many);
    EXPECT_LT(reader.memory(), 10'000u) << start;
  }
  for (const std::string name : {"deviceID", "eventType", "timestamp", "other", "events"}) {
    auto reader = reader_of_events();
    reader.add(R"({"events":[{")" + name + "\":\"");
    for (int i = 0; i < 100; ++i) reader.add(many);
    EXPECT_LT(reader.memory(), 200'000u) << name;
  }
  auto reader = reader_of_events();
  reader.add("{\"events\":[0");
  for (std::size_t i = 1; i < kMostPostedEvents; ++i) reader.add(",0");
  EXPECT_LT(reader.memory(), 10'000u);
}

TEST(EventsBody, HasABoundedNumberOfEvents) {
  std::string events = "0";
  for (std::size_t i = 1; i < kMostPostedEvents; ++i) events += ",0";
  EXPECT_EQ(parsed(body_of(events)).count, kMostPostedEvents);
  EXPECT_FALSE(parse_events_body(body_of(events + ",0")));
}

}  // namespace
}  // namespace dwell
