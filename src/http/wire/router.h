#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/beast/http/verb.hpp>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "http/wire/body_sink.h"
#include "http/wire/reply.h"
#include "http/wire/target.h"

namespace dwell {

using Method = boost::beast::http::verb;

struct Request {
  Method method = Method::get;
  std::string target;
  std::string accept;            // the header; empty: anything
  std::string content_type;      // the header
  std::string content_encoding;  // the header
  // Of W3C Trace Context; traceparent: of the request's own span, where that is recorded.
  std::string traceparent;
  std::string tracestate;
  bool is_traced = false;        // the request's own span is recorded
  bool is_from_browser = false;  // of a page, or a browser asks in its own name
  // Gives the body to a sink, piece by piece; at most once. False: it did not come as a whole, and
  // whatever the handler replies is not sent.
  std::function<boost::asio::awaitable<bool>(BodySink&)> receive_body;
};

// A reply and the route it came from, for metrics; "none" when no route fits.
struct Routed {
  Routed(std::string_view route, Reply reply) : route(route), reply(std::move(reply)) {}
  std::string_view route;
  Reply reply;
};

// What answers a request: a router, or a test's stand-in.
using Handle = std::function<boost::asio::awaitable<Routed>(Request)>;

// What is answered where.
struct Route {
  using Handler = std::function<boost::asio::awaitable<Reply>(const Request&, const Target&)>;

  std::string_view name;                  // as in openapi.json: /timeline/{device}
  std::vector<std::string_view> pattern;  // an empty segment matches any that is not empty
  Method method = Method::get;
  Handler handler;
};

// Finds the handler of a request, and answers itself where there is none: 400, 404, 405, 414 and
// OPTIONS. One thread.
class Router {
 public:
  // `elsewhere` is the detail of a 404: where to look for what there is.
  Router(std::vector<Route> routes, std::string elsewhere)
      : routes_(std::move(routes)), elsewhere_(std::move(elsewhere)) {}

  boost::asio::awaitable<Routed> handle(Request request) const;

 private:
  std::vector<Route> routes_;
  std::string elsewhere_;
};

// The problem of a request whose target is longer than kLongestTarget.
Reply target_too_long();

}  // namespace dwell
