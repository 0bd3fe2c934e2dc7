#include "http/wire/router.h"

#include <algorithm>

namespace dwell {
namespace {

bool fits(const Target& target, const Route& route) {
  return std::equal(route.pattern.begin(), route.pattern.end(), target.segments.begin(),
                    target.segments.end(), [](std::string_view pattern, const auto& segment) {
                      return pattern.empty() ? !segment.empty() : pattern == segment;
                    });
}

Routed of_no_route(Reply reply) {
  return Routed("none", std::move(reply));
}

}  // namespace

Reply target_too_long() {
  return problem(Status::uri_too_long, "target-too-long",
                 fmt::format("the request target is longer than {} bytes", kLongestTarget));
}

boost::asio::awaitable<Routed> Router::handle(Request request) const {
  if (request.target.size() > kLongestTarget) {
    co_return of_no_route(target_too_long());
  }
  if (request.method == Method::options && request.target == "*") {
    Reply reply;
    reply.status = Status::no_content;
    reply.content_type.clear();
    reply.headers.emplace_back("Allow", "GET, HEAD, POST, OPTIONS");
    co_return of_no_route(std::move(reply));
  }
  const auto target = parse_target(request.target);
  if (!target)
    co_return of_no_route(problem(Status::bad_request, "invalid-target", target.error().message));

  const auto method = request.method == Method::head ? Method::get : request.method;
  std::string_view name = "none";
  std::string allowed;
  for (const Route& route : routes_) {
    if (!fits(*target, route)) continue;
    if (route.method == method) {
      Reply reply = co_await route.handler(request, *target);
      co_return Routed(route.name, std::move(reply));
    }
    name = route.name;
    allowed = route.method == Method::get ? "GET, HEAD, OPTIONS" : "POST, OPTIONS";
  }
  if (allowed.empty()) {
    co_return of_no_route(problem(Status::not_found, "no-such-resource", elsewhere_));
  }
  Reply reply;
  if (request.method == Method::options) {
    reply.status = Status::no_content;
    reply.content_type.clear();
  } else {
    reply = problem(Status::method_not_allowed, "method-not-allowed", "use " + allowed);
  }
  reply.headers.emplace_back("Allow", allowed);
  co_return Routed(name, std::move(reply));
}

}  // namespace dwell
