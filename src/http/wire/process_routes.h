#pragma once

#include <boost/json/value.hpp>
#include <functional>
#include <string>
#include <vector>

#include "http/wire/health.h"
#include "http/wire/router.h"

namespace dwell {

// What every process answers about itself: /health, /livez, /readyz and /metrics. Both functions
// may be called on any thread; `metrics` gives the text format of Prometheus.
std::vector<Route> process_routes(std::function<Health()> health,
                                  std::function<std::string()> metrics);

Reply json_reply(const boost::json::value& value, Status status = Status::ok);
Reply text_reply(std::string body, std::string content_type);

}  // namespace dwell
