// The marker of a checkpoint: what it tells comes back, and nothing else is taken for one.
#include "kafka/flow/marker.h"

#include <gtest/gtest.h>

namespace dwell {
namespace {

Marker example(std::string_view zone = {}) {
  Marker marker;
  if (!zone.empty()) marker.rule.time.zone = *TimeZone::load(zone);
  marker.rule.time.unit = TimeUnit::ns;
  marker.record_bytes = 1 << 20;
  marker.cluster = "cluster";
  marker.topic = "device-events";
  marker.next = 42;
  marker.devices = 7;
  return marker;
}

std::string encoded(const Marker& marker) {
  std::string bytes;
  encode_marker(marker, bytes);
  return bytes;
}

TEST(Marker, ComesBackWithItsTimeZone) {
  for (const char* name : {"Europe/Berlin", "UTC"}) {
    const auto zone = *TimeZone::load(name);
    const auto back = decode_marker(encoded(example(name)));
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(back->rule, example(name).rule);
    EXPECT_EQ(back->tzdata, zone.version());
    EXPECT_EQ(back->next, 42);
  }
}

TEST(Marker, WithoutATimeZoneItIsOff) {
  const auto bytes = encoded(example());
  const auto back = decode_marker(bytes);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->rule, example().rule);
  EXPECT_FALSE(back->rule.time.zone);
}

TEST(Marker, ComesBackWithTheSpellingOfIds) {
  for (const auto spelling : {IdSpelling::keep, IdSpelling::lower, IdSpelling::mac}) {
    Marker marker = example();
    marker.rule.mapping.id_spelling = spelling;
    const auto back = decode_marker(encoded(marker));
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(back->rule, marker.rule);
  }
}

TEST(Marker, UnderRule1HasNone) {
  Marker marker = example("Europe/Berlin");
  marker.rule.version = 1;
  const auto back = decode_marker(encoded(marker));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_FALSE(back->rule.time.zone);
}

TEST(Marker, OneThatIsCutIsRefused) {
  const auto bytes = encoded(example("Europe/Berlin"));
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_FALSE(decode_marker(std::string_view(bytes).substr(0, length))) << length;
  }
  EXPECT_FALSE(decode_marker(bytes + '\0'));
}

TEST(Marker, AZoneThatThisMachineLacksIsNamed) {
  auto bytes = encoded(example("Europe/Berlin"));
  bytes.replace(bytes.find("Berlin"), 6, "Nowher");
  const auto back = decode_marker(bytes);
  ASSERT_FALSE(back);
  EXPECT_EQ(back.error().kind, ErrorKind::fatal);
  EXPECT_NE(back.error().message.find("Europe/Nowher"), std::string::npos) << back.error().message;
}

}  // namespace
}  // namespace dwell
