#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/rule.h"
#include "http/api/list_questions.h"
#include "http/api/posted_events.h"
#include "http/wire/process_routes.h"
#include "http/wire/router.h"
#include "ports/clock.h"
#include "ports/intake.h"
#include "ports/row_reader.h"
#include "ports/visibility.h"
#include "telemetry/tracer.h"

namespace dwell {

// What the API stands on. All outlive it.
struct ApiParts {
  RowReader& reader;
  RowReader& stream_reader;  // for what follows the first page of a stream
  Intake& intake;
  Clock& clock;
  std::function<Health()> health;
  std::function<std::string()> metrics;  // Prometheus text format
  Visibility* visibility = nullptr;      // none: what was taken in can be read at once
  std::size_t record_bytes = 1 << 20;    // an event that is longer, sent or as a record, is refused
  std::size_t body_bytes = 16 << 20;     // the same of a compressed body, once it is unpacked
  Rule rule = {};                        // how posted events are read that are not as documented
  Tracer tracer = {};                    // takes the spans of questions
  std::string_view system = "other_sql";  // the store, as in the attribute db.system.name
};

// The HTTP API, contract in docs/api.md and web/openapi.json: requests in, replies out, no sockets.
// One thread calls handle().
class Api {
 public:
  explicit Api(const ApiParts& parts);
  Api(const Api&) = delete;
  Api& operator=(const Api&) = delete;

  boost::asio::awaitable<Routed> handle(Request request) {
    return router_.handle(std::move(request));
  }

 private:
  std::vector<Route> routes();

  std::vector<InputPlace> places_of(Parameters& parameters) const;
  boost::asio::awaitable<std::optional<Reply>> wait_for(const std::vector<InputPlace>& places);
  boost::asio::awaitable<Reply> post_timeline(const Request& request, const Target& target);
  std::shared_ptr<RowReader> reader_for(const Request& request, RowReader& reader) const;
  boost::asio::awaitable<Reply> get_list(const ListRoute& route, const Request& request,
                                         const Target& target);
  boost::asio::awaitable<Reply> get_device(const Request& request, const Target& target);
  boost::asio::awaitable<Reply> get_openapi(const Request& request, const Target& target);

  ApiParts parts_;
  PostedEvents posted_events_;
  Router router_;
};

// web/openapi.json, built into the binary.
std::string_view openapi_document();

}  // namespace dwell
