#pragma once

#include <optional>
#include <string_view>

#include "telemetry/trace_context.h"

namespace dwell {

// Which traces are recorded: the samplers of OTEL_TRACES_SAMPLER. Any thread.
// https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
class Sampler {
 public:
  // `ratio` of roots, in [0, 1]; `follows_parent`: of what has a parent, those whose parent is.
  Sampler(double ratio, bool follows_parent);

  // Of a trace that begins here.
  bool takes_root(const TraceId& trace) const;
  // Of one that has begun elsewhere.
  bool takes_child(const TraceContext& parent) const {
    return follows_parent_ ? parent.is_sampled() : takes_root(parent.trace);
  }
  bool takes_roots() const { return ratio_ > 0; }
  bool follows_parent() const { return follows_parent_; }

 private:
  double ratio_;
  std::uint64_t below_;  // of the last 8 bytes of a trace's id
  bool follows_parent_;
};

// By the name of OTEL_TRACES_SAMPLER; empty for any other. `ratio` of those that have one.
std::optional<Sampler> sampler_of(std::string_view name, double ratio);

}  // namespace dwell
