#include "app/settings/units.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <fmt/format.h>
#include <span>

namespace dwell {
namespace {

struct NamedSize {
  std::string_view name;
  std::uint64_t size;
};

// Largest first.
constexpr std::array kDurations = {NamedSize{"d", 86'400'000}, NamedSize{"h", 3'600'000},
                                   NamedSize{"min", 60'000}, NamedSize{"s", 1'000},
                                   NamedSize{"ms", 1}};
constexpr std::array kSizes = {NamedSize{"GiB", 1ull << 30}, NamedSize{"MiB", 1ull << 20},
                               NamedSize{"KiB", 1ull << 10}, NamedSize{"", 1}};

constexpr std::uint64_t kLargest = std::uint64_t{1} << 50;

std::optional<std::uint64_t> parse(std::string_view text, std::span<const NamedSize> units) {
  const auto digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto count = parse_count(text.substr(0, digits));
  if (!count) return std::nullopt;
  for (const NamedSize& unit : units) {
    if (text.substr(digits) != unit.name) continue;
    if (*count > kLargest / unit.size) return std::nullopt;
    return *count * unit.size;
  }
  return std::nullopt;
}

std::string format(std::uint64_t value, std::span<const NamedSize> units) {
  for (const NamedSize& unit : units) {
    if (value >= unit.size && value % unit.size == 0) {
      return fmt::format("{}{}", value / unit.size, unit.name);
    }
  }
  return fmt::format("0{}", units.back().name);
}

}  // namespace

std::optional<std::uint64_t> parse_count(std::string_view text) {
  std::uint64_t count;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, count);
  if (error != std::errc{} || rest != end) return std::nullopt;
  return count;
}

std::optional<Milliseconds> parse_duration(std::string_view text) {
  const auto ms = parse(text, kDurations);
  if (!ms) return std::nullopt;
  return Milliseconds{static_cast<std::int64_t>(*ms)};
}

std::string format_duration(Milliseconds duration) {
  return format(static_cast<std::uint64_t>(duration.count()), kDurations);
}

std::optional<Timestamp> parse_day_or_time(std::string_view text) {
  constexpr std::size_t kDay = 10;
  if (text.size() != kDay) return parse_rfc3339(text);
  return parse_rfc3339(fmt::format("{}T00:00:00Z", text));
}

std::string format_day_or_time(Timestamp time) {
  const bool is_day = time == std::chrono::floor<std::chrono::days>(time);
  const std::string text = format_rfc3339(time);
  return is_day ? text.substr(0, text.find('T')) : text;
}

std::optional<std::uint64_t> parse_bytes(std::string_view text) {
  return parse(text, kSizes);
}

std::string format_bytes(std::uint64_t bytes) {
  return format(bytes, kSizes);
}

std::string format_span(Milliseconds duration) {
  auto rest = static_cast<std::uint64_t>(std::max<std::int64_t>(0, duration.count()));
  std::string text;
  int units = 0;
  for (const NamedSize& unit : std::span(kDurations).first(4)) {
    if (rest < unit.size && units == 0) continue;
    if (rest >= unit.size) {
      text += fmt::format("{}{} {}", text.empty() ? "" : " ", rest / unit.size, unit.name);
    }
    rest %= unit.size;
    if (++units == 2) break;
  }
  return text.empty() ? "0 s" : text;
}

std::string format_size(std::uint64_t bytes) {
  for (const NamedSize& unit : std::span(kSizes).first(3)) {
    if (bytes >= unit.size) {
      return fmt::format("{:.1f} {}", static_cast<double>(bytes) / static_cast<double>(unit.size),
                         unit.name);
    }
  }
  return fmt::format("{} bytes", bytes);
}

std::optional<std::vector<std::string>> parse_list(std::string_view text) {
  std::vector<std::string> all;
  for (;;) {
    const auto comma = std::min(text.find(','), text.size());
    if (comma == 0) return std::nullopt;
    all.emplace_back(text.substr(0, comma));
    if (comma == text.size()) return all;
    text.remove_prefix(comma + 1);
  }
}

std::string format_list(const std::vector<std::string>& all) {
  return fmt::format("{}", fmt::join(all, ","));
}

std::optional<std::vector<std::string>> parse_hosts(std::string_view text) {
  const auto is_legal = [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '.' || c == '_';
  };
  if (text == "none") return std::vector<std::string>();
  auto hosts = parse_list(text);
  const bool are_legal =
      hosts && std::all_of(hosts->begin(), hosts->end(), [&](const std::string& host) {
        return std::all_of(host.begin(), host.end(), is_legal);
      });
  return are_legal ? hosts : std::nullopt;
}

std::string format_hosts(const std::vector<std::string>& hosts) {
  return hosts.empty() ? "none" : format_list(hosts);
}

std::string format_count(std::uint64_t count) {
  std::string text = fmt::format("{}", count);
  for (auto i = static_cast<std::ptrdiff_t>(text.size()) - 3; i > 0; i -= 3) {
    text.insert(static_cast<std::size_t>(i), 1, ',');
  }
  return text;
}

}  // namespace dwell
