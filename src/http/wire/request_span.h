#pragma once

#include <chrono>

#include "http/wire/router.h"
#include "telemetry/tracer.h"

namespace dwell {

// The span of a request, from its head to its answer, where it is traced.
class RequestSpan {
 public:
  // `request.traceparent` names this span from now on, if it is recorded.
  RequestSpan(const Tracer& tracer, Request& request);

  // Of the span itself; empty: it is not recorded.
  const std::optional<TraceContext>& context() const { return own_; }

  // `route`: as in the API's description, never the path, which names a device.
  void end(std::string_view route, Status status);

 private:
  const Tracer& tracer_;
  std::optional<TraceContext> own_;
  TraceContext parent_;
  Method method_{};
  Span::Time start_{};
};

}  // namespace dwell
