#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "http/process_routes.h"
#include "http/router.h"
#include "ports/clock.h"
#include "ports/intake.h"
#include "ports/timeline_reader.h"

namespace dwell {

// What the API stands on. All outlive it.
struct ApiParts {
  TimelineReader& reader;             // short questions, on the thread that calls handle()
  TimelineReader& stream_reader;      // what follows the first page of a stream, on that thread too
  TimelineReader& slow_reader;        // long questions, on `workers` alone
  boost::asio::thread_pool& workers;  // one thread
  Intake& intake;
  Clock& clock;
  std::function<Health()> health;
  std::function<std::string()> metrics;  // Prometheus text format
};

// The HTTP API, contract in docs/api.md and web/openapi.json: requests in, replies out, no sockets.
// One thread calls handle(); long questions run on the workers.
class Api {
 public:
  explicit Api(const ApiParts& parts);
  Api(const Api&) = delete;
  Api& operator=(const Api&) = delete;

  boost::asio::awaitable<Routed> handle(Request request) {
    return router_.handle(std::move(request));
  }

 private:
  using Handler = boost::asio::awaitable<Reply> (Api::*)(const Request&, const Target&);
  std::vector<Route> routes();

  boost::asio::awaitable<Result<PresencePage>> on_worker(const PresenceQuery& query);
  boost::asio::awaitable<Reply> post_timeline(const Request& request, const Target& target);
  boost::asio::awaitable<Reply> get_timeline(const Request& request, const Target& target);
  boost::asio::awaitable<Reply> get_presence(const Request& request, const Target& target);
  boost::asio::awaitable<Reply> get_device(const Request& request, const Target& target);
  boost::asio::awaitable<Reply> get_openapi(const Request& request, const Target& target);

  ApiParts parts_;
  Router router_;
};

// web/openapi.json, built into the binary.
std::string_view openapi_document();

}  // namespace dwell
