#include "http/wire/process_routes.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace dwell {
namespace {

namespace json = boost::json;

json::array array_of(const std::vector<std::string>& texts) {
  json::array array;
  for (const std::string& text : texts) array.emplace_back(text);
  return array;
}

Reply readiness(const Health& health) {
  const bool is_ready = health.not_ready_because.empty();
  json::object body{{"ready", is_ready}, {"reasons", array_of(health.not_ready_because)}};
  if (!health.warnings.empty()) body["warnings"] = array_of(health.warnings);
  return json_reply(body, is_ready ? Status::ok : Status::service_unavailable);
}

// A handler that has its answer at once.
Route::Handler at_once(std::function<Reply()> answer) {
  return
      [answer = std::move(answer)](const Request&, const Target&) -> boost::asio::awaitable<Reply> {
        co_return answer();
      };
}

}  // namespace

Reply json_reply(const json::value& value, Status status) {
  Reply reply;
  reply.status = status;
  reply.body = json::serialize(value) + '\n';
  return reply;
}

Reply text_reply(std::string body, std::string content_type) {
  Reply reply;
  reply.content_type = std::move(content_type);
  reply.body = std::move(body);
  return reply;
}

std::vector<Route> process_routes(std::function<Health()> health,
                                  std::function<std::string()> metrics) {
  return {
      {"/health", {"health"}, Method::get, at_once([] {
         return text_reply("OK", "text/plain; charset=utf-8");
       })},
      {"/livez", {"livez"}, Method::get, at_once([] {
         return json_reply({{"live", true}});
       })},
      {"/readyz", {"readyz"}, Method::get, at_once([health = std::move(health)] {
         return readiness(health());
       })},
      {"/metrics", {"metrics"}, Method::get, at_once([metrics = std::move(metrics)] {
         return text_reply(metrics(), "text/plain; version=0.0.4; charset=utf-8");
       })},
  };
}

}  // namespace dwell
