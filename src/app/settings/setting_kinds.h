#pragma once

#include <algorithm>
#include <fmt/format.h>
#include <tuple>

#include "app/settings/legal_values.h"
#include "app/settings/settings.h"
#include "app/settings/time_zones.h"
#include "app/settings/units.h"

namespace dwell {

// The place of a value in a Config: a member, or a member of a member.
template <typename... Members>
class Place {
 public:
  constexpr explicit Place(Members... members) : members_(members...) {}

  auto& operator()(Config& config) const { return in(config); }
  const auto& operator()(const Config& config) const { return in(config); }

 private:
  template <typename C>
  auto& in(C& config) const {
    return std::apply([&config](auto... members) -> auto& { return (config.*....*members); },
                      members_);
  }

  std::tuple<Members...> members_;
};

// at(&Config::rule, &Rule::order)
template <typename... Members>
constexpr Place<Members...> at(Members... members) {
  return Place<Members...>(members...);
}

// The makers below turn a place and a kind of value into a Setting.

inline std::string flag_of(std::string_view key) {
  std::string flag = "--" + std::string(key);
  std::replace_if(
      flag.begin() + 2, flag.end(), [](char c) { return c == '.' || c == '_'; }, '-');
  return flag;
}

// What a text is about: in words, and whether one is legal.
struct TextKind {
  const char* expected;
  bool (*is_legal)(std::string_view text);
  bool is_list = false;  // several with commas
};

inline constexpr TextKind kPath{"a path that is not empty", is_path};
inline constexpr TextKind kAddress{"an IP address or localhost, and a port, as in 127.0.0.1:8080",
                                   is_listen_address};
inline constexpr TextKind kAddressOrOff{
    "off, or an IP address or localhost, and a port, as in 127.0.0.1:8080",
    [](std::string_view text) { return text == "off" || is_listen_address(text); }};
inline constexpr TextKind kBrokers{"HOST:PORT, several with commas", is_broker_list, true};
inline constexpr TextKind kTopic{"1 to 249 letters, digits, dots, dashes and underscores",
                                 [](std::string_view text) { return is_kafka_name(text, 249); }};
inline constexpr TextKind kInstance{"1 to 200 letters, digits, dots, dashes and underscores",
                                    [](std::string_view text) { return is_kafka_name(text, 200); }};
inline constexpr TextKind kGroup{"1 to 200 bytes of printable text", is_group_name};
inline constexpr TextKind kUrl{"a text that is not empty", [](std::string_view text) {
                                 return !text.empty() && text.find('\0') == text.npos;
                               }};

template <typename... M>
Setting text(std::string key, Place<M...> place, TextKind kind, std::string help) {
  return {.key = key,
          .flag = flag_of(key),
          .help = std::move(help),
          .expected = kind.expected,
          .is_text = true,
          .is_list = kind.is_list,
          .set =
              [place, kind](std::string_view text, Config& config) {
                const bool is_legal = kind.is_legal(text);
                if (is_legal) place(config) = text;
                return is_legal;
              },
          .show = [place](const Config& config) { return place(config); }};
}

template <typename... M>
Setting hosts(std::string key, Place<M...> place, std::string help) {
  return {.key = key,
          .flag = flag_of(key),
          .help = std::move(help),
          .expected = "none, or names with commas, such as dwell.example,dwell.internal",
          .is_text = true,
          .is_list = true,
          .set =
              [place](std::string_view text, Config& config) {
                auto names = parse_hosts(text);
                if (names) place(config) = std::move(*names);
                return names.has_value();
              },
          .show = [place](const Config& c) { return format_hosts(place(c)); }};
}

template <typename... M>
Setting count(std::string key, Place<M...> place, std::uint64_t least, std::uint64_t most,
              std::string help) {
  return {.key = key,
          .flag = flag_of(key),
          .help = std::move(help),
          .expected = fmt::format("a whole number from {} to {}", least, most),
          .set =
              [=](std::string_view text, Config& config) {
                const auto value = parse_count(text);
                if (!value || *value < least || *value > most) return false;
                place(config) =
                    static_cast<std::remove_reference_t<decltype(place(config))>>(*value);
                return true;
              },
          .show = [place](const Config& config) { return fmt::format("{}", place(config)); }};
}

template <typename... M>
Setting bytes(std::string key, Place<M...> place, std::uint64_t least, std::uint64_t most,
              std::string help) {
  return {.key = key,
          .flag = flag_of(key),
          .help = std::move(help),
          .expected = fmt::format("bytes from {} to {}, such as 65536, 64KiB or 1MiB",
                                  format_bytes(least), format_bytes(most)),
          .set =
              [=](std::string_view text, Config& config) {
                const auto value = parse_bytes(text);
                if (!value || *value < least || *value > most) return false;
                place(config) = *value;
                return true;
              },
          .show = [place](const Config& config) { return format_bytes(place(config)); }};
}

inline constexpr Milliseconds kLongestDuration = std::chrono::days(36'500);
inline constexpr Milliseconds kShortestTimeout =
    std::chrono::seconds(1);  // they are kept to a second

template <typename... M>
Setting duration(std::string key, Place<M...> place, Milliseconds least, std::string help) {
  return {.key = key,
          .flag = flag_of(key),
          .help = std::move(help),
          .expected = fmt::format("a duration from {} to {}, such as 250ms, 90s, 5min, 24h or 30d",
                                  format_duration(least), format_duration(kLongestDuration)),
          .set =
              [=](std::string_view text, Config& config) {
                const auto value = parse_duration(text);
                if (!value || *value < least || *value > kLongestDuration) return false;
                place(config) = *value;
                return true;
              },
          .show = [place](const Config& config) { return format_duration(place(config)); }};
}

// A duration that may be switched off; `place` is a std::optional.
template <typename... M>
Setting limit(std::string key, Place<M...> place, std::string help) {
  return {.key = key,
          .flag = flag_of(key),
          .help = std::move(help),
          .expected = "off, or a duration such as 90s, 5min or 24h",
          .set =
              [=](std::string_view text, Config& config) {
                const auto value = parse_duration(text);
                if (text != "off" && (!value || *value > kLongestDuration)) return false;
                place(config) = value;
                return true;
              },
          .show =
              [place](const Config& config) {
                const auto value = place(config);
                return value ? format_duration(*value) : std::string("off");
              }};
}

// Texts with commas; `are_legal` judges all of them together.
template <typename... M>
Setting list(std::string key, Place<M...> place, const char* expected,
             bool (*are_legal)(const std::vector<std::string>& all), std::string help) {
  return {.key = key,
          .flag = flag_of(key),
          .help = std::move(help),
          .expected = expected,
          .is_text = true,
          .is_list = true,
          .set =
              [place, are_legal](std::string_view text, Config& config) {
                auto all = parse_list(text);
                if (!all || !are_legal(*all)) return false;
                place(config) = std::move(*all);
                return true;
              },
          .show = [place](const Config& config) { return format_list(place(config)); }};
}

// A point in time before which there is nothing; kEarliest stands for off.
template <typename... M>
Setting earliest(std::string key, Place<M...> place, std::string help) {
  return {.key = key,
          .flag = flag_of(key),
          .help = std::move(help),
          .expected = "off, or a day or RFC 3339 time such as 2010-01-01",
          .set =
              [place](std::string_view text, Config& config) {
                const auto time = parse_day_or_time(text);
                if (text != "off" && !time) return false;
                place(config) = time.value_or(kEarliest);
                return true;
              },
          .show =
              [place](const Config& config) {
                const Timestamp time = place(config);
                return time == kEarliest ? std::string("off") : format_day_or_time(time);
              }};
}

// A time zone, or none.
template <typename... M>
Setting time_zone(std::string key, Place<M...> place, std::string help) {
  return {.key = key,
          .flag = flag_of(key),
          .help = std::move(help),
          .expected = "off, or a name of tzdata such as Europe/Berlin",
          .is_text = true,
          .set =
              [place](std::string_view text, Config& config) {
                const auto zone =
                    text == "off" ? Result<TimeZone>(TimeZone()) : read_time_zone(text);
                if (zone) place(config) = *zone;
                return zone.has_value();
              },
          .show =
              [place](const Config& config) {
                const TimeZone zone = place(config);
                return zone ? show_time_zone(zone) : std::string("off");
              },
          .refusal =
              [](std::string_view text) {
                const auto zone = read_time_zone(text);
                return zone ? std::string() : zone.error().message;
              }};
}

template <typename Value, typename... M>
Setting choice(std::string key, Place<M...> place,
               std::vector<std::pair<std::string_view, Value>> choices, std::string help) {
  std::string expected;
  for (std::size_t i = 0; i < choices.size(); ++i) {
    const bool is_last = i + 1 == choices.size();
    expected += fmt::format("{}{}", i == 0 ? "" : is_last ? " or " : ", ", choices[i].first);
  }
  return {.key = key,
          .flag = flag_of(key),
          .help = std::move(help),
          .expected = std::move(expected),
          .set =
              [=](std::string_view text, Config& config) {
                for (const auto& [name, value] : choices) {
                  if (name == text) return place(config) = value, true;
                }
                return false;
              },
          .show =
              [=](const Config& config) {
                for (const auto& [name, value] : choices) {
                  if (value == place(config)) return std::string(name);
                }
                return std::string();
              }};
}

}  // namespace dwell
