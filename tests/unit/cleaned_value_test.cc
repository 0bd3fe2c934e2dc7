#include "core/cleaned_value.h"

#include <gmock/gmock.h>

namespace dwell {
namespace {

std::string value_of(std::string_view device, EventType type = EventType::enter,
                     std::int64_t timestamp_ms = 1'751'932'800'000) {
  std::string out;
  append_cleaned_value(device, {from_ms(timestamp_ms), 1, 1, type, Operation::insert}, out);
  return out;
}

std::string device_in(const std::string& value) {
  const auto start = value.rfind(R"("device_id":)") + 12;
  return value.substr(start, value.rfind(R"(,"event_type":)") - start);
}

// The contract, byte by byte: what Kafka Connect's JsonConverter reads.
TEST(CleanedValue, IsConnectJsonWithItsSchema) {
  EXPECT_EQ(value_of("cam-001"),
            R"({"schema":{"type":"struct","name":"DeviceUpdate","fields":[)"
            R"({"field":"timestamp","type":"int64"},{"field":"device_id","type":"string"},)"
            R"({"field":"event_type","type":"string"}],"optional":false},)"
            R"("payload":{"timestamp":1751932800000,"device_id":"cam-001",)"
            R"("event_type":"device_enter"}})");
}

TEST(CleanedValue, HoldsTheEndsOfTimeAndBothTypes) {
  EXPECT_THAT(value_of("a", EventType::exit, 0),
              ::testing::EndsWith(R"("payload":{"timestamp":0,"device_id":"a",)"
                                  R"("event_type":"device_exit"}})"));
  EXPECT_THAT(value_of("a", EventType::exit, to_ms(kLatest)),
              ::testing::HasSubstr(R"({"timestamp":253402300799999,)"));
}

TEST(CleanedValue, EscapesAsGoDoes) {
  EXPECT_EQ(device_in(value_of(R"(a"b\c)")), R"("a\"b\\c")");
  EXPECT_EQ(device_in(value_of("<a>&b/c%")), R"("\u003ca\u003e\u0026b/c%")");
  EXPECT_EQ(device_in(value_of("x\u2028y\u2029")), R"("x\u2028y\u2029")");
  EXPECT_EQ(device_in(value_of("caf\u00e9 \u20ac \u2027\u202a \U0001F600")),
            "\"caf\u00e9 \u20ac \u2027\u202a \U0001F600\"");
}

std::optional<std::string> refusal(const CleanedBytes& bytes) {
  CleanedDecoder decoder;
  const auto decoded = decoder.decode(bytes);
  return decoded ? std::nullopt : std::optional(decoded.error().message);
}

TEST(CleanedDecoder, ReadsWhatWasWritten) {
  CleanedDecoder decoder;
  for (const std::string_view device :
       {"cam-001", R"(a"b\c)", "<a>&b", "x\u2028y", "caf\u00e9", R"("event_type":"device_exit")"}) {
    for (const EventType type : {EventType::enter, EventType::exit}) {
      for (const std::int64_t ms : {std::int64_t{0}, to_ms(kLatest)}) {
        const auto value = value_of(device, type, ms);
        const auto decoded = decoder.decode({value, "12", "1", "retract"});
        ASSERT_TRUE(decoded) << value << decoded.error().message;
        EXPECT_EQ(decoded->device, device);
        EXPECT_EQ(decoded->timestamp, from_ms(ms));
        EXPECT_EQ(decoded->type, type);
        EXPECT_EQ(decoded->operation, Operation::retract);
        EXPECT_EQ(decoded->seq, 12u);
        EXPECT_EQ(decoded->rank, 1u);
      }
    }
  }
}

TEST(CleanedDecoder, WithoutHeadersItIsAnInsertOfRankZero) {
  CleanedDecoder decoder;
  const std::string value =
      R"( {"payload": {"event_type": "device_exit", "x": [1], "timestamp": 5, "device_id": "a"}})";
  const auto decoded = decoder.decode({value});
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(decoded->device, "a");
  EXPECT_EQ(decoded->operation, Operation::insert);
  EXPECT_EQ(decoded->rank, 0u);
  EXPECT_FALSE(decoded->seq);
}

TEST(CleanedDecoder, SaysWhatIsWrong) {
  const auto wrong = [](std::string_view payload) {
    return refusal({fmt::format(R"({{"payload":{}}})", payload)}).value_or("nothing");
  };
  EXPECT_EQ(refusal({"garbage"}), "the value is not JSON");
  EXPECT_EQ(refusal({""}), "the value is not JSON");
  EXPECT_EQ(refusal({"{}"}), "there is no payload");
  EXPECT_EQ(wrong("null"), "there is no payload");
  EXPECT_THAT(wrong(R"({"device_id":1,"event_type":"device_exit","timestamp":1})"),
              ::testing::HasSubstr("device_id is not a text"));
  EXPECT_THAT(wrong(R"({"device_id":"","event_type":"device_exit","timestamp":1})"),
              ::testing::HasSubstr("device_id"));
  EXPECT_THAT(wrong(R"({"device_id":"a\u0000","event_type":"device_exit","timestamp":1})"),
              ::testing::HasSubstr("device_id"));
  EXPECT_THAT(wrong(R"({"device_id":"a","event_type":"heartbeat","timestamp":1})"),
              ::testing::HasSubstr("event_type"));
  for (const std::string_view time : {"-1", "253402300800000", "1.0", "\"1\"", "1e3"}) {
    EXPECT_THAT(wrong(fmt::format(
                    R"({{"device_id":"a","event_type":"device_exit","timestamp":{}}})", time)),
                ::testing::HasSubstr("timestamp"));
  }
  const auto value = value_of("a");
  EXPECT_THAT(refusal({value, "x"}), ::testing::Optional(::testing::HasSubstr("seq")));
  EXPECT_THAT(refusal({value, {}, "-1"}), ::testing::Optional(::testing::HasSubstr("rank")));
  EXPECT_THAT(refusal({value, {}, "9223372036854775808"}),
              ::testing::Optional(::testing::HasSubstr("rank")));
  EXPECT_THAT(refusal({value, {}, {}, "upsert"}), ::testing::Optional(::testing::HasSubstr("op")));
  // The cleaner's own bytes, but for one.
  for (std::size_t i = 0; i < value.size(); ++i) {
    auto damaged = value;
    damaged[i] = '\x01';
    EXPECT_TRUE(refusal({damaged})) << damaged;
  }
}

}  // namespace
}  // namespace dwell
