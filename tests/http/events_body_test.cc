#include "http/events_body.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "core/decoder.h"

namespace dwell {
namespace {

using ::testing::ElementsAre;
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
    Decoder decoder(ClockSource::event);
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
      {"{}", "deviceID"},
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

TEST(EventsBody, HasABoundedNumberOfEvents) {
  std::string events = "0";
  for (std::size_t i = 1; i < kMostPostedEvents; ++i) events += ",0";
  EXPECT_EQ(parsed(body_of(events)).count, kMostPostedEvents);
  EXPECT_FALSE(parse_events_body(body_of(events + ",0")));
}

}  // namespace
}  // namespace dwell
