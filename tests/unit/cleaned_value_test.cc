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

}  // namespace
}  // namespace dwell
