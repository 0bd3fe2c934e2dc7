#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/beast/http/verb.hpp>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "http/reply.h"
#include "http/target.h"
#include "ports/clock.h"
#include "ports/intake.h"
#include "ports/timeline_reader.h"

namespace dwell {

using Method = boost::beast::http::verb;

struct Request {
  Method method = Method::get;
  std::string target;
  std::string accept;            // the header; empty: anything
  std::string content_type;      // the header
  std::string content_encoding;  // the header
  std::string body;
};

// A reply and the route it came from, for metrics; "none" when no route fits.
struct Routed {
  Routed(std::string_view route, Reply reply) : route(route), reply(std::move(reply)) {}
  std::string_view route;
  Reply reply;
};

// What the API stands on. All outlive it.
struct ApiParts {
  TimelineReader& reader;             // short questions, on the thread that calls handle()
  TimelineReader& stream_reader;      // what follows the first page of a stream, on that thread too
  TimelineReader& slow_reader;        // long questions, on `workers` alone
  boost::asio::thread_pool& workers;  // one thread
  Intake& intake;
  Clock& clock;
  std::function<std::vector<std::string>()> not_ready_because;  // empty: ready. Any thread
  std::function<std::string()> metrics;                         // Prometheus text format
};

// The HTTP API, contract in docs/api.md and web/openapi.json: requests in, replies out, no sockets.
// One thread calls handle(); long questions run on the workers.
class Api {
 public:
  explicit Api(const ApiParts& parts) : parts_(parts) {}

  boost::asio::awaitable<Routed> handle(Request request);

 private:
  using Handler = boost::asio::awaitable<Reply> (Api::*)(const Request&, const Target&);
  struct Route {
    std::string_view name;                  // as in openapi.json: /timeline/{device}
    std::vector<std::string_view> pattern;  // an empty segment matches any that is not empty
    Method method;
    Handler handler;
  };
  static const std::vector<Route>& routes();

  boost::asio::awaitable<Result<PresencePage>> on_worker(const PresenceQuery& query);
  boost::asio::awaitable<Reply> post_timeline(const Request& request, const Target& target);
  boost::asio::awaitable<Reply> get_timeline(const Request& request, const Target& target);
  boost::asio::awaitable<Reply> get_presence(const Request& request, const Target& target);
  boost::asio::awaitable<Reply> get_device(const Request& request, const Target& target);
  boost::asio::awaitable<Reply> get_health(const Request& request, const Target& target);
  boost::asio::awaitable<Reply> get_livez(const Request& request, const Target& target);
  boost::asio::awaitable<Reply> get_readyz(const Request& request, const Target& target);
  boost::asio::awaitable<Reply> get_metrics(const Request& request, const Target& target);
  boost::asio::awaitable<Reply> get_openapi(const Request& request, const Target& target);

  ApiParts parts_;
};

// The problem of a request whose target is longer than kLongestTarget.
Reply target_too_long();

// web/openapi.json, built into the binary.
std::string_view openapi_document();

}  // namespace dwell
