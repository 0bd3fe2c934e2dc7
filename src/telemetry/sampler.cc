#include "telemetry/sampler.h"

#include <cmath>
#include <limits>

namespace dwell {

Sampler::Sampler(double ratio, bool follows_parent)
    : ratio_(ratio), below_(0), follows_parent_(follows_parent) {
  constexpr double kAll = 18'446'744'073'709'551'616.0;  // 2^64
  below_ = ratio >= 1 ? std::numeric_limits<std::uint64_t>::max()
                      : static_cast<std::uint64_t>(std::ceil(ratio * kAll));
}

bool Sampler::takes_root(const TraceId& trace) const {
  if (ratio_ >= 1) return true;
  std::uint64_t number = 0;
  for (std::size_t i = trace.size() / 2; i < trace.size(); ++i) number = number << 8 | trace[i];
  return number < below_;
}

std::optional<Sampler> sampler_of(std::string_view name, double ratio) {
  constexpr std::string_view kFollows = "parentbased_";
  const bool follows_parent = name.starts_with(kFollows);
  if (follows_parent) name.remove_prefix(kFollows.size());
  if (name == "always_on") return Sampler(1, follows_parent);
  if (name == "always_off") return Sampler(0, follows_parent);
  if (name == "traceidratio") return Sampler(ratio, follows_parent);
  return {};
}

}  // namespace dwell
