#include "http/wire/request_span.h"

#include <fmt/format.h>

namespace dwell {

RequestSpan::RequestSpan(const Tracer& tracer, Request& request) : tracer_(tracer) {
  if (!tracer.is_on()) return;
  own_ = tracer.begin(tracer.settings().requests, request.traceparent, parent_);
  if (!own_) return;
  method_ = request.method;
  start_ = std::chrono::system_clock::now();
  request.is_traced = true;
  request.traceparent = format_traceparent(*own_);
}

void RequestSpan::end(std::string_view route, Status status) {
  if (!own_ || !tracer_.takes_span()) return;
  const auto number = static_cast<int>(status);
  const std::string method(to_string(method_));
  Span span;
  span.context = *own_;
  span.parent = parent_.span;
  span.kind = SpanKind::server;
  span.name = fmt::format("{} {}", method, route);
  span.start = start_;
  span.end = std::chrono::system_clock::now();
  span.attributes = {{"http.request.method", method},
                     {"http.route", std::string(route)},
                     {"http.response.status_code", std::int64_t{number}},
                     {"url.scheme", std::string("http")}};
  constexpr int kOurFault = 500;
  if (number >= kOurFault) {
    span.error = fmt::format("{}", number);
    span.attributes.emplace_back("error.type", span.error);
  }
  tracer_.add(std::move(span));
}

}  // namespace dwell
