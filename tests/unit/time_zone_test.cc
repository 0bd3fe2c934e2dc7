// Local times: what a clock shows twice or never, and which names are taken.
#include "base/time_zone.h"

#include <algorithm>
#include <gtest/gtest.h>

namespace dwell {
namespace {

TimeZone zone(std::string_view name) {
  const auto loaded = TimeZone::load(name);
  EXPECT_TRUE(loaded) << name;
  return loaded ? *loaded : TimeZone();
}

LocalTime local(std::string_view text) {
  const DateTime read = read_date_time(text);
  EXPECT_EQ(read.form, DateTime::Form::local) << text;
  return read.local;
}

// format_rfc3339() begins with 1970.
std::int64_t instant(std::string_view name, std::string_view text) {
  return to_ms(zone(name).instant(local(text)));
}

std::string shown(std::string_view name, std::string_view text) {
  return format_rfc3339(from_ms(instant(name, text)));
}

TEST(TimeZone, ATimeThatAClockShowsOnce) {
  EXPECT_EQ(shown("Europe/Berlin", "2025-07-08T12:00:00.250"), "2025-07-08T10:00:00.250Z");
  EXPECT_EQ(shown("Europe/Berlin", "2025-01-08T12:00:00"), "2025-01-08T11:00:00Z");
  EXPECT_EQ(shown("Asia/Kathmandu", "2025-01-08T12:00:00"), "2025-01-08T06:15:00Z");
  EXPECT_EQ(shown("UTC", "2025-01-08T12:00:00"), "2025-01-08T12:00:00Z");
}

TEST(TimeZone, WhatIsShownTwiceIsTheFirst) {
  EXPECT_EQ(shown("Europe/Berlin", "2025-10-26T01:59:59.999"), "2025-10-25T23:59:59.999Z");
  EXPECT_EQ(shown("Europe/Berlin", "2025-10-26T02:00:00"), "2025-10-26T00:00:00Z");
  EXPECT_EQ(shown("Europe/Berlin", "2025-10-26T02:59:59.999"), "2025-10-26T00:59:59.999Z");
  EXPECT_EQ(shown("Europe/Berlin", "2025-10-26T03:00:00"), "2025-10-26T02:00:00Z");
  EXPECT_EQ(shown("Australia/Lord_Howe", "2025-04-06T01:45:00"), "2025-04-05T14:45:00Z");
}

TEST(TimeZone, WhatIsNeverShownHasTheOffsetOfBefore) {
  EXPECT_EQ(shown("Europe/Berlin", "2025-03-30T02:00:00"), "2025-03-30T01:00:00Z");
  EXPECT_EQ(shown("Europe/Berlin", "2025-03-30T02:30:00"), "2025-03-30T01:30:00Z");
  EXPECT_EQ(shown("Europe/Berlin", "2025-03-30T03:30:00"), "2025-03-30T01:30:00Z");
  EXPECT_EQ(shown("Australia/Lord_Howe", "2025-10-05T02:15:00"), "2025-10-04T15:45:00Z");
  EXPECT_EQ(shown("Pacific/Apia", "2011-12-30T12:00:00"), "2011-12-30T22:00:00Z");
  EXPECT_EQ(shown("Africa/Monrovia", "1972-01-07T00:30:00"), "1972-01-07T01:14:30Z");
}

TEST(TimeZone, YearsFarAway) {
  EXPECT_EQ(shown("Europe/Berlin", "2196-07-01T12:00:00"), "2196-07-01T10:00:00Z");
  EXPECT_EQ(shown("America/New_York", "2196-10-05T09:00:00"), "2196-10-05T13:00:00Z");
  EXPECT_EQ(shown("Europe/Berlin", "9999-12-31T23:59:59.999"), "9999-12-31T22:59:59.999Z");
  EXPECT_GT(instant("America/New_York", "9999-12-31T23:59:59"), to_ms(kLatest));
  // Local mean time, 53 min 28 s ahead.
  EXPECT_EQ(instant("Europe/Berlin", "1890-01-01T00:00:00.001"), -2'524'524'807'999);
  EXPECT_EQ(instant("Europe/Berlin", "0001-01-01T00:00:00"), -62'135'600'008'000);
  EXPECT_LT(instant("Europe/Berlin", "0000-01-01T00:00:00"), -62'135'600'008'000);
}

TEST(TimeZone, DaysBeginWithTheirFirstInstant) {
  using std::chrono::local_days;
  using std::chrono::year;
  const auto start = [](std::string_view name, int y, unsigned m, unsigned d) {
    return format_rfc3339(
        zone(name).start_of(local_days{year{y} / std::chrono::month{m} / std::chrono::day{d}}));
  };
  EXPECT_EQ(start("Europe/Berlin", 2025, 7, 8), "2025-07-07T22:00:00Z");
  EXPECT_EQ(start("America/Sao_Paulo", 2018, 11, 4), "2018-11-04T03:00:00Z") << "at 01:00";
  EXPECT_EQ(start("Africa/Cairo", 2024, 4, 26), "2024-04-25T22:00:00Z") << "at 01:00";
  EXPECT_EQ(start("America/Havana", 2025, 11, 2), "2025-11-02T04:00:00Z") << "00:00 comes twice";
  EXPECT_EQ(start("Pacific/Apia", 2011, 12, 30), start("Pacific/Apia", 2011, 12, 31));
  const auto berlin = zone("Europe/Berlin");
  const Timestamp late = *parse_rfc3339("2025-07-08T22:30:00Z");
  EXPECT_EQ(format_rfc3339(berlin.start_of(berlin.day_of(late))), "2025-07-08T22:00:00Z");
}

TEST(TimeZone, NamesOfTzdataAloneAreTaken) {
  for (const char* name : {"", "Europe/Berlim", "europe/berlin", "../zoneinfo/Europe/Berlin",
                           "Europe/../Europe/Berlin", "/usr/share/zoneinfo/Europe/Berlin",
                           "file:Europe/Berlin", "localtime", "posixrules", "posix/Europe/Berlin",
                           "right/Europe/Berlin", "Factory", "Fixed/UTC+01:00:00", "+02:00",
                           "CET-1CEST", "Europe", "tzdata.zi", "Europe/Berlin ", "utc0"}) {
    const auto loaded = TimeZone::load(name);
    ASSERT_FALSE(loaded) << name;
    EXPECT_EQ(loaded.error().kind, ErrorKind::invalid) << name;
  }
  for (const char* name : {"Europe/Berlin", "Etc/GMT+3", "EST5EDT", "Asia/Calcutta"}) {
    EXPECT_EQ(zone(name).name(), name);
    EXPECT_FALSE(zone(name).version().empty());
  }
}

TEST(TimeZone, EachNameOfTzdataLoads) {
  const auto known = tzdata();
  ASSERT_TRUE(known) << known.error().message;
  EXPECT_GT((*known)->names.size(), 400u);
  for (const std::string& name : (*known)->names) EXPECT_TRUE(TimeZone::load(name)) << name;
}

TEST(TimeZone, IsAValue) {
  EXPECT_FALSE(TimeZone());
  EXPECT_EQ(zone("Europe/Berlin"), zone("Europe/Berlin"));
  EXPECT_NE(zone("Europe/Berlin"), zone("Europe/Paris"));
  EXPECT_NE(zone("UTC"), TimeZone());
  EXPECT_EQ(zone("UTC").version(), "");
}

}  // namespace
}  // namespace dwell
