#include "app/settings/time_zones.h"

#include <algorithm>
#include <cctype>

#include "app/settings/settings.h"

namespace dwell {
namespace {

constexpr std::string_view kVersion = " (tzdata ";

std::string_view name_of(std::string_view text) {
  return text.substr(0, text.find(kVersion));
}

std::string lower(std::string_view text) {
  std::string lowered(text);
  for (char& c : lowered) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return lowered;
}

// The name that was meant: of the same place or letters, else spelled nearly so; empty when none
// is.
std::string likely_name(std::string_view text) {
  constexpr std::size_t kMostOff = 3;
  const auto known = tzdata();
  if (!known) return {};
  const auto& names = (*known)->names;
  const auto wanted = lower(text);
  const auto found = std::find_if(names.begin(), names.end(), [&](const std::string& name) {
    const auto lowered = lower(name);
    return lowered == wanted || lowered.substr(lowered.rfind('/') + 1) == wanted;
  });
  return found == names.end() ? nearest(names, text, std::min(kMostOff, text.size() / 2)) : *found;
}

}  // namespace

Result<TimeZone> read_time_zone(std::string_view text) {
  const auto name = name_of(text);
  auto zone = TimeZone::load(name);
  if (zone || zone.error().kind != ErrorKind::invalid) return zone;
  const auto likely = likely_name(name);
  return fail(ErrorKind::invalid, "{}{}", zone.error().message,
              likely.empty() ? "" : fmt::format(", the nearest is {}", likely));
}

std::string show_time_zone(TimeZone zone) {
  return zone.version().empty() ? std::string(zone.name())
                                : fmt::format("{}{}{})", zone.name(), kVersion, zone.version());
}

std::string warning_of_tzdata(std::string_view stored, TimeZone zone, std::string_view place) {
  const bool is_same = !zone || name_of(stored) != zone.name() || stored == show_time_zone(zone);
  if (is_same) return {};
  return fmt::format(
      "{}: its times without a zone were read as {}, from now on as {}; what is stored stays",
      place, stored, show_time_zone(zone));
}

}  // namespace dwell
