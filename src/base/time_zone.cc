#include "base/time_zone.h"

#include <algorithm>
#include <cctz/time_zone.h>
#include <cstdlib>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>

#include "base/check.h"

namespace dwell {
namespace {

using namespace std::chrono;

constexpr std::string_view kUtc = "UTC";
constexpr std::size_t kMostNames = 10'000;

// Where cctz looks, too.
std::string tzdata_folder() {
  const char* const given = std::getenv("TZDIR");
  return given && *given ? given : "/usr/share/zoneinfo";
}

// A line of tzdata.zi that begins with `Z NAME` or `L TARGET NAME` names a zone.
std::string_view name_in(std::string_view line) {
  const bool is_link = line.starts_with("L ");
  if (!is_link && !line.starts_with("Z ")) return {};
  line.remove_prefix(2);
  if (is_link) line.remove_prefix(std::min(line.find(' '), line.size() - 1) + 1);
  return line.substr(0, line.find(' '));
}

Result<Tzdata> read_tzdata() {
  const std::string path = tzdata_folder() + "/tzdata.zi";
  std::ifstream file(path);
  constexpr std::string_view kVersion = "# version ";
  Tzdata found;
  for (std::string line; found.names.size() < kMostNames && std::getline(file, line);) {
    if (line.starts_with(kVersion)) found.version = line.substr(kVersion.size());
    const auto name = name_in(line);
    // Factory is no place, but a machine whose zone was not set yet.
    if (!name.empty() && name != "Factory") found.names.emplace_back(name);
  }
  if (found.version.empty() || found.names.empty()) {
    return fail(ErrorKind::not_found,
                "{}: cannot be read, so that no time zone but UTC is known; install the package "
                "tzdata",
                path);
  }
  std::sort(found.names.begin(), found.names.end());
  return found;
}

}  // namespace

struct TimeZone::Loaded {
  std::string name;
  std::string version;
  cctz::time_zone zone;
};

Result<const Tzdata*> tzdata() {
  static const Result<Tzdata> read = read_tzdata();
  if (!read) return pass(read);
  return &*read;
}

Result<TimeZone> TimeZone::load(std::string_view name) {
  static std::mutex mutex;
  static std::map<std::string, std::unique_ptr<const Loaded>, std::less<>> all;
  const std::lock_guard lock(mutex);
  if (const auto found = all.find(name); found != all.end()) return TimeZone(found->second.get());
  auto loaded = std::make_unique<Loaded>();
  loaded->name = name;
  if (name == kUtc) {
    loaded->zone = cctz::utc_time_zone();
  } else {
    const auto known = tzdata();
    if (!known) return pass(known);
    // cctz would take paths, too.
    if (!std::binary_search((*known)->names.begin(), (*known)->names.end(), name)) {
      return fail(ErrorKind::invalid, "tzdata has no time zone of this name");
    }
    if (!cctz::load_time_zone(loaded->name, &loaded->zone)) {
      return fail(
          ErrorKind::not_found,
          "{}/{}: cannot be read; install the package tzdata, and tzdata-legacy where there "
          "is one",
          tzdata_folder(), name);
    }
    loaded->version = (*known)->version;
  }
  const auto* const kept = loaded.get();
  all.emplace(loaded->name, std::move(loaded));
  return TimeZone(kept);
}

std::string_view TimeZone::name() const {
  return loaded_ ? std::string_view(loaded_->name) : std::string_view();
}

std::string_view TimeZone::version() const {
  return loaded_ ? std::string_view(loaded_->version) : std::string_view();
}

namespace {

cctz::civil_second civil(local_time<seconds> local) {
  const auto day = floor<days>(local);
  const year_month_day date{day};
  const hh_mm_ss time{local - day};
  return cctz::civil_second(static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                            static_cast<unsigned>(date.day()), time.hours().count(),
                            time.minutes().count(), time.seconds().count());
}

Timestamp timestamp(cctz::time_point<cctz::seconds> time) {
  return Timestamp{Milliseconds{time.time_since_epoch().count() * 1'000}};
}

}  // namespace

Timestamp TimeZone::instant(LocalTime local) const {
  CHECK(loaded_);
  const auto whole = floor<seconds>(local);
  return timestamp(loaded_->zone.lookup(civil(whole)).pre) + (local - whole);
}

Timestamp TimeZone::start_of(local_days day) const {
  CHECK(loaded_);
  const auto found = loaded_->zone.lookup(civil(day));
  const bool is_skipped = found.kind == cctz::time_zone::civil_lookup::SKIPPED;
  return timestamp(is_skipped ? found.trans : found.pre);
}

local_days TimeZone::day_of(Timestamp time) const {
  CHECK(loaded_);
  const auto since = floor<seconds>(time.time_since_epoch());
  const auto there = loaded_->zone.lookup(cctz::time_point<cctz::seconds>{since}).cs;
  return local_days{year{static_cast<int>(there.year())} / there.month() / there.day()};
}

}  // namespace dwell
