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
using ::testing::StartsWith;

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
      R"({"device_id":"a","event_type":"device_exit","timestamp":"2025-07-08T12:00:00Z","x":[{}]})"));
  EXPECT_THAT(
      records(body.submission),
      ElementsAre(R"({"device_id":"a","event_type":"device_exit","timestamp":1751976000000})"));
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
  for (const std::string& body : {std::string(),
                                  std::string("null"),
                                  std::string("7"),
                                  std::string("[] []"),
                                  std::string("{} {}"),
                                  std::string(R"({"events":null})"),
                                  std::string(R"({"events":{}})"),
                                  std::string(R"({"events":[}])"),
                                  std::string(R"({"events":[1 2]})"),
                                  std::string("[1,]"),
                                  std::string("[tru]"),
                                  std::string(R"([{"a":1]])"),
                                  std::string(R"([{"a":"\x"}])"),
                                  std::string(R"({"events":[]})") + "x",
                                  std::string(R"({"events":[)"),
                                  std::string(R"({"events":[1,]})"),
                                  std::string("\xff\xfe{}"),
                                  body_of("\"\xff\""),
                                  body_of(std::string(100, '[') + std::string(100, ']')),
                                  std::string(1'000'000, '[')}) {
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
      R"({"a":[],"events":[{"deviceID":"","eventType":"b"}]})",
      R"([{"a":"]}\\\"","b":[[{}]]},"]",["["],1e5,tru])",
      R"({"device_id":"a","events":{"b":[1]}})",
      R"(["}{",{"a":"}"},{"a":["}"]},{"a":1]},{"b":"{\"}"},{}}])",
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
  const auto body = parsed(R"([{"deviceID":"a","deviceID":"b","eventType":7,"eventType":"c",)"
                           R"("timestamp":"1970-01-01T00:00:01Z"}])");
  EXPECT_THAT(body.bad, IsEmpty());
  EXPECT_THAT(records(body.submission),
              ElementsAre(R"({"device_id":"b","event_type":"c","timestamp":1000})"));
}

TEST(EventsBody, TwoListsOfEventsAreRefused) {
  for (const char* body : {R"({"events":[1,2,3],"events":[]})", R"({"events":[],"events":1})",
                           R"({"events":1,"ev\u0065nts":[]})"}) {
    const auto read = parse_events_body(body);
    ASSERT_FALSE(read) << body;
    EXPECT_THAT(read.error().message, HasSubstr("two members `events`")) << body;
  }
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

constexpr const char* kGoodRecord =
    R"({"device_id":"cam-1","event_type":"device_enter","timestamp":1000})";

TEST(EventsBody, OneEventAnArrayAndLinesAreBodiesToo) {
  const std::string good = kGood;
  const std::tuple<std::string, BodyForm, std::size_t> bodies[] = {
      {good, BodyForm::json, 1},
      {" \n" + good + "\r\n", BodyForm::json, 1},
      {R"({"x":[[1],{"events":[2]}],)" + good.substr(1), BodyForm::json, 1},
      {"[" + good + "]", BodyForm::json, 1},
      {" [ " + good + " , " + good + " ] ", BodyForm::json, 2},
      {"[]", BodyForm::json, 0},
      {R"({"ev\u0065nts" : [)" + good + "]}", BodyForm::json, 1},
      {"", BodyForm::lines, 0},
      {good, BodyForm::lines, 1},
      {good + "\n", BodyForm::lines, 1},
      {"\n \r\n" + good + "\r\n\n" + good + "\n\t", BodyForm::lines, 2},
  };
  for (const auto& [body, form, count] : bodies) {
    for (const std::size_t size : {std::size_t{1}, std::size_t{7}, std::size_t{10'000}}) {
      auto reader = reader_of_events(form);
      for (std::size_t at = 0; at < body.size(); at += size) {
        reader.add(std::string_view(body).substr(at, size));
      }
      const auto read = reader.finish();
      ASSERT_TRUE(read) << body << ": " << read.error().message;
      EXPECT_EQ(read->count, count) << body;
      EXPECT_THAT(read->bad, IsEmpty()) << body;
      EXPECT_EQ(records(read->submission), std::vector<std::string>(count, kGoodRecord)) << body;
    }
  }
}

TEST(EventsBody, ABadLineIsABadEvent) {
  const auto read = parse_events_body(
      std::string(kGood) + "\n{\"a\":\n7\n[" + kGood + "]\n" + kGood, BodyForm::lines);
  ASSERT_TRUE(read);
  EXPECT_THAT(read->good, ElementsAre(0, 4));
  ASSERT_EQ(read->bad.size(), 3u);
  EXPECT_EQ(read->bad[0].detail, "the record is no JSON object: {\"a\":");
  EXPECT_EQ(read->bad[1].detail, "an event must be an object");
}

TEST(EventsBody, WhiteSpaceAroundAnEventIsNotOfIt) {
  const std::string space(1 << 20, ' ');
  auto reader = reader_of_events();
  reader.add(space);
  EXPECT_LT(reader.memory(), 1'000u);
  for (const std::string& piece : {space + kGood + space, space}) reader.add(piece);
  EXPECT_LT(reader.memory(), 1'000u);
  const auto read = reader.finish();
  ASSERT_TRUE(read);
  EXPECT_THAT(read->good, ElementsAre(0));
}

TEST(EventsBody, AnEventLongerThanARecordIsABadOne) {
  const std::string long_event = R"({"x":")" + std::string(1 << 20, 'x') + R"("})";
  for (const std::string& body : {long_event, "[" + long_event + "]", body_of(long_event)}) {
    const auto read = parsed(body);
    ASSERT_EQ(read.bad.size(), 1u);
    EXPECT_EQ(read.bad[0].detail, "the event has 1048584 bytes, more than input.max_record");
  }
}

// Reads events by the mapping of a feed.
class MappedEvents : public testing::Test {
 protected:
  MappedEvents() {
    rule_.mapping.device_id = {"{/mac}@{/place}"};
    rule_.mapping.event_type = {"/event"};
    rule_.mapping.timestamp = {"/at"};
    rule_.mapping.enter = {"connected"};
    rule_.mapping.exit = {"disconnected"};
    rule_.mapping.id_spelling = IdSpelling::lower;
    rule_.time.unit = TimeUnit::s;
  }
  EventsBody read(const std::string& event) {
    PostedEvents events(rule_, 1 << 20);
    EventsReader reader(events, BodyForm::json, kPostedAt);
    reader.add(event);
    auto body = reader.finish();
    EXPECT_TRUE(body) << event;
    return body ? std::move(*body) : EventsBody{};
  }
  std::string record_of(const std::string& event) {
    const auto body = read(event);
    EXPECT_THAT(body.bad, IsEmpty()) << event;
    return body.submission.bytes;
  }

  Rule rule_ = posting_rule();
};

TEST_F(MappedEvents, BecomeTheDocumentedFormInMilliseconds) {
  const auto body = read(R"({"event":"connected","mac":"AA:0B","place":7,"at":1751957694.6129})");
  EXPECT_EQ(body.submission.bytes,
            R"({"device_id":"aa:0b@7","event_type":"device_enter","timestamp":1751957694612})");
  EXPECT_EQ(body.submission.devices, "aa:0b@7");
  EXPECT_EQ(record_of(R"({"event":"disconnected","mac":"a","place":"b","at":"1751957694"})"),
            R"({"device_id":"a@b","event_type":"device_exit","timestamp":1751957694000})");
}

TEST_F(MappedEvents, TheDocumentedFormMeansTheSameAllTheTime) {
  const std::string time = R"("timestamp":"1970-01-01T00:00:01Z"})";
  EXPECT_EQ(record_of(R"({"deviceID":"A","eventType":"device_exit",)" + time),
            R"({"device_id":"A","event_type":"device_exit","timestamp":1000})");
  EXPECT_EQ(record_of(R"({"deviceID":"A","eventType":"heartbeat",)" + time),
            R"({"device_id":"A","event_type":"heartbeat","timestamp":1000})");
  const auto bad = read(R"({"deviceID":"A","eventType":"device_exit","timestamp":1751957694})");
  ASSERT_EQ(bad.bad.size(), 1u);
  EXPECT_EQ(bad.bad[0].member, "timestamp");
}

// A feed that has the documented names, and other words for enter and exit.
TEST_F(MappedEvents, ATypeThatOnlyTheMappingKnowsIsItsOwn) {
  rule_.mapping = {};
  rule_.mapping.enter = {"arrived"};
  rule_.mapping.exit = {"left"};
  EXPECT_EQ(record_of(R"({"deviceID":"A","eventType":"arrived","timestamp":1751957694})"),
            R"({"device_id":"A","event_type":"device_enter","timestamp":1751957694000})");
}

TEST_F(MappedEvents, OtherTypesAreIgnored) {
  EXPECT_EQ(record_of(R"({"event":"a \"ping\""})"), R"({"event_type":"a \"ping\""})");
  EXPECT_EQ(record_of(R"({"event":true})"), R"({"event_type":"true"})");
  // Written as it is, it would be an enter.
  EXPECT_EQ(record_of(R"({"event":"device_enter"})"), R"({"event_type":"other"})");
  Decoder decoder{rule_};
  const std::string bytes = record_of(R"({"event":"device_enter"})");
  EXPECT_EQ(decoder.decode({.bytes = bytes, .now = kPostedAt, .is_documented_form = true}).outcome,
            Outcome::ignored);
}

TEST_F(MappedEvents, AFaultIsToldWithWhatWasFoundAndExpected) {
  const std::tuple<const char*, const char*, const char*> faults[] = {
      {R"({"mac":"a","place":"b","at":1751957694})", "eventType", "is missing: looked for /event"},
      {R"({"event":"connected","mac":"a","at":1751957694})", "deviceID",
       "is missing: looked for {/mac}@{/place}"},
      {R"({"event":"connected","mac":[],"place":"b","at":1751957694})", "deviceID",
       "[ is neither a text nor a whole number without sign"},
      {R"({"event":"connected","mac":"a","place":"b","at":"noon"})", "timestamp", "\"noon\" "},
      {R"({"event":"connected","mac":"a","place":"b","at":5})", "timestamp", "5 "},
  };
  for (const auto& [event, member, detail] : faults) {
    const auto body = read(event);
    ASSERT_EQ(body.bad.size(), 1u) << event;
    EXPECT_EQ(body.bad[0].member, member) << event;
    EXPECT_THAT(body.bad[0].detail, StartsWith(detail)) << event;
  }
}

TEST_F(MappedEvents, NeedNoTimeWhereTheReceiveTimeCounts) {
  rule_.clock_source = ClockSource::received;
  EXPECT_EQ(record_of(R"({"event":"connected","mac":"a","place":"b"})"),
            R"({"device_id":"a@b","event_type":"device_enter","timestamp":1751932800000})");
}

}  // namespace
}  // namespace dwell
