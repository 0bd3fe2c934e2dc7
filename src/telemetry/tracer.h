#pragma once

#include <optional>

#include "telemetry/span.h"
#include "telemetry/telemetry.h"

namespace dwell {

// Takes spans that are over; off, it takes none and nothing is traced. Copied freely; borrows the
// telemetry. Any thread.
class Tracer {
 public:
  Tracer() = default;
  explicit Tracer(Telemetry* telemetry)
      : telemetry_(telemetry && telemetry->settings().has(Signal::traces) ? telemetry : nullptr) {}

  bool is_on() const { return telemetry_ != nullptr; }
  const OtelSettings& settings() const { return telemetry_->settings(); }  // where it is on

  // The context of a span to be made, of a request or a record that came with `traceparent`, or
  // without one (empty). `parent` is set where there is one. Empty: it is not recorded.
  std::optional<TraceContext> begin(const Sampler& sampler, std::string_view traceparent,
                                    TraceContext& parent) const;

  // Drops it where the queue is full; asked first, so that nothing is made for nothing.
  bool takes_span() const { return telemetry_ && telemetry_->takes_span(); }
  void add(Span span) const {
    if (telemetry_) telemetry_->add(std::move(span));
  }

 private:
  Telemetry* telemetry_ = nullptr;
};

}  // namespace dwell
