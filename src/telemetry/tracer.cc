#include "telemetry/tracer.h"

namespace dwell {

std::optional<TraceContext> Tracer::begin(const Sampler& sampler, std::string_view traceparent,
                                          TraceContext& parent) const {
  if (!is_on()) return {};
  // Most are not sampled; one character tells.
  if (!traceparent.empty() && sampler.follows_parent() && !looks_sampled(traceparent)) return {};
  const auto found = traceparent.empty() ? std::nullopt : parse_traceparent(traceparent);
  constexpr std::uint8_t kSampled = 1;
  if (!found) {  // one that cannot be read counts as none
    if (!sampler.takes_roots()) return {};
    const TraceContext root{random_trace(), random_span(), kSampled};
    return sampler.takes_root(root.trace) ? std::optional(root) : std::nullopt;
  }
  if (!sampler.takes_child(*found)) return {};
  parent = *found;
  return TraceContext{found->trace, random_span(),
                      static_cast<std::uint8_t>(found->flags | kSampled)};
}

}  // namespace dwell
