#include "core/event_timestamp.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/unit/decoder_reading.h"

namespace dwell {
namespace {

constexpr TimeFormat kOff{TimeUnit::ms, kEarliest};

std::string shown(const TimeReading& reading) {
  constexpr const char* kFaults[] = {"none",    "no_time",      "no_time_of_day", "no_seconds",
                                     "no_zone", "out_of_range", "no_unit_fits",   "too_early"};
  return reading.fault == TimeFault::none ? format_rfc3339(reading.time)
                                          : kFaults[static_cast<int>(reading.fault)];
}

std::string number(std::string_view token, const TimeFormat& format = kUsualTimes) {
  return shown(read_time_number(token, format));
}

std::string text(std::string_view text, const TimeFormat& format = kUsualTimes) {
  return shown(read_time_text(text, format));
}

TEST(EventTimestamp, ANumberIsReadInTheOnlyUnitThatFits) {
  EXPECT_EQ(number("1751957694"), "2025-07-08T06:54:54Z");
  EXPECT_EQ(number("1751957694612"), "2025-07-08T06:54:54.612Z");
  EXPECT_EQ(number("1751957694612345"), "2025-07-08T06:54:54.612Z");
  EXPECT_EQ(number("1751957694612345678"), "2025-07-08T06:54:54.612Z");
  EXPECT_EQ(number("1262304000"), "2010-01-01T00:00:00Z");
  EXPECT_EQ(number("4102444799999"), "2099-12-31T23:59:59.999Z");
  EXPECT_EQ(number("4102444799999999999"), "2099-12-31T23:59:59.999Z");
}

TEST(EventTimestamp, ANumberBelowAllUnitsIsTooEarly) {
  for (const char* token : {"0", "-0", "3", "1262303999", "1262303999.999", "-1751957694612",
                            "1e-9", "-1e400", "0e999999999999"}) {
    EXPECT_EQ(number(token), "too_early") << token;
  }
}

TEST(EventTimestamp, ANumberBetweenTheUnitsIsNoTime) {
  for (const char* token :
       {"4102444800", "946684800000", "1262303999999", "4102444800000", "4102444800000000000",
        "99999999999999999999999", "1e400", "1e999999999999"}) {
    EXPECT_EQ(number(token), "no_unit_fits") << token;
  }
}

TEST(EventTimestamp, NumbersAreReadInDecimal) {
  EXPECT_EQ(number("1.751957694612E12"), "2025-07-08T06:54:54.612Z");
  EXPECT_EQ(number("1751957694612.0"), "2025-07-08T06:54:54.612Z");
  EXPECT_EQ(number("1751957694.612"), "2025-07-08T06:54:54.612Z");
  EXPECT_EQ(number("1751957694.6129999999999999999999999999999999999999999"),
            "2025-07-08T06:54:54.612Z");
  EXPECT_EQ(number("17519576946120000e-4"), "2025-07-08T06:54:54.612Z");
  EXPECT_EQ(number("0.001751957694612e+15"), "2025-07-08T06:54:54.612Z");
  // 0.29 s is 289.999... ms as a double.
  EXPECT_EQ(number("1751957694.29"), "2025-07-08T06:54:54.290Z");
}

TEST(EventTimestamp, ANamedUnitTakesAllYears) {
  EXPECT_EQ(number("0", kOff), "1970-01-01T00:00:00Z");
  EXPECT_EQ(number("0.9", kOff), "1970-01-01T00:00:00Z");
  EXPECT_EQ(number("253402300799999", kOff), "9999-12-31T23:59:59.999Z");
  EXPECT_EQ(number("253402300800000", kOff), "out_of_range");
  EXPECT_EQ(number("-1", kOff), "out_of_range");
  EXPECT_EQ(number("253402300799", {TimeUnit::s, kEarliest}), "9999-12-31T23:59:59Z");
  EXPECT_EQ(number("253402300800", {TimeUnit::s, kEarliest}), "out_of_range");
  EXPECT_EQ(number("9223372036854775807", {TimeUnit::s, kEarliest}), "out_of_range");
  EXPECT_EQ(number("1751957694", {TimeUnit::ms, from_ms(1'262'304'000'000)}), "too_early");
}

TEST(EventTimestamp, IntegerAndDecimalSyntaxAgree) {
  for (const TimeUnit unit :
       {TimeUnit::automatic, TimeUnit::s, TimeUnit::ms, TimeUnit::us, TimeUnit::ns}) {
    const TimeFormat format{unit, from_ms(to_ms(kEarliestToTellUnits))};
    for (std::uint64_t value = 1; value < 5'000'000'000'000'000'000; value += value / 3 + 1) {
      const auto token = fmt::format("{}", value);
      EXPECT_EQ(number(token, format), number(token + ".0", format)) << token;
      EXPECT_EQ(number(token, format), number(token + "e0", format)) << token;
      EXPECT_EQ(number(token, format), text(token, format)) << token;
    }
  }
}

TEST(EventTimestamp, NoNumberFitsTwoUnits) {
  // The last of a unit lies before the first of the next finer one.
  EXPECT_LT(to_ms(kEndOfUnits) / 1'000, to_ms(kEarliestToTellUnits));
}

TEST(EventTimestamp, ReadsWhatIsNearToRfc3339) {
  for (const char* written :
       {"2025-07-08T12:00:00Z", "2025-07-08t12:00:00z", "2025-07-08 12:00:00Z",
        "2025-07-08T14:00:00+02:00", "2025-07-08T14:00:00+0200", "2025-07-08T14:00:00+02",
        "2025-07-08 06:30:00-0530", "2025-07-08T12:00:00.0Z",
        "2025-07-08T12:00:00.000999999999999999999999999999999999999999999999999999999999Z"}) {
    EXPECT_EQ(text(written), "2025-07-08T12:00:00Z") << written;
  }
  EXPECT_EQ(text("2025-07-08T06:54:54.4383997Z"), "2025-07-08T06:54:54.438Z");
  EXPECT_EQ(text("2025-07-08T12:00:00.5Z"), "2025-07-08T12:00:00.500Z");
}

TEST(EventTimestamp, SaysWhatATextLacks) {
  const std::vector<std::pair<const char*, const char*>> cases = {
      {"2025-10-26T02:30:00", "no_zone"},
      {"2025-10-26 02:30:00.25", "no_zone"},
      {"2025-07-08T12:00", "no_seconds"},
      {"2025-07-08T12:00Z", "no_seconds"},
      {"2025-07-08", "no_time_of_day"},
      {"08.07.2025 12:00:00", "no_time"},
      {"2025-07-08T24:00:00Z", "no_time"},
      {"2016-12-31T23:59:60Z", "no_time"},
      {"2025-02-30T12:00:00Z", "no_time"},
      {"20250708T120000Z", "no_time"},
      {"2025-07-08T12:00:00,750Z", "no_time"},
      {"2025-07-08T12:00:00.Z", "no_time"},
      {"2025-07-08T12:00:00+2", "no_time"},
      {"2025-07-08T12:00:00+02:0", "no_time"},
      {"2025-07-08T12:00:00+020", "no_time"},
      {"2025-07-08T12:00:00+24:00", "no_time"},
      {"2025-07-08T12:00:00Z ", "no_time"},
      {"", "no_time"},
      {"soon", "no_time"},
      {"2009-12-31T23:59:59.999Z", "too_early"},
      {"1970-01-01T00:00:03Z", "too_early"},
  };
  for (const auto& [written, fault] : cases) EXPECT_EQ(text(written), fault) << written;
  EXPECT_EQ(text("1969-12-31T23:59:59Z", kOff), "out_of_range");
  EXPECT_EQ(text("9999-12-31T23:59:59-01:00", kOff), "out_of_range");
  EXPECT_EQ(text("2999-12-31T23:59:59Z"), "2999-12-31T23:59:59Z");
}

TEST(EventTimestamp, ATimeWithoutAZoneHasThatOfTheFormat) {
  TimeFormat format = kUsualTimes;
  format.zone = *TimeZone::load("Europe/Berlin");
  EXPECT_EQ(text("2025-07-08T12:00:00", format), "2025-07-08T10:00:00Z");
  EXPECT_EQ(text("2025-10-26 02:30:00.2599", format), "2025-10-26T00:30:00.259Z");
  EXPECT_EQ(text("2025-03-30T02:30:00", format), "2025-03-30T01:30:00Z");
  EXPECT_EQ(text("2010-01-01T00:59:59.999", format), "too_early");
  EXPECT_EQ(text("2010-01-01T01:00:00", format), "2010-01-01T00:00:00Z");
  EXPECT_EQ(text("1890-01-01T00:00:00", format), "too_early");
  EXPECT_EQ(text("0000-01-01T00:00:00", format), "too_early");
  // A zone of its own stays, and the rest is what it was.
  EXPECT_EQ(text("2025-07-08T12:00:00Z", format), "2025-07-08T12:00:00Z");
  EXPECT_EQ(text("2025-07-08T12:00:00-05", format), "2025-07-08T17:00:00Z");
  EXPECT_EQ(text("2025-07-08", format), "no_time_of_day");
  EXPECT_EQ(text("2025-07-08T12:00", format), "no_seconds");
  EXPECT_EQ(number("1751957694", format), "2025-07-08T06:54:54Z");
  format.zone = *TimeZone::load("America/New_York");
  EXPECT_EQ(text("9999-12-31T23:59:59", format), "out_of_range");
}

}  // namespace
}  // namespace dwell
