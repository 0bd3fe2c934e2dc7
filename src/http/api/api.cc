#include "http/api/api.h"

#include <memory>

#include "core/decoder.h"
#include "http/api/cursor.h"
#include "http/api/list_questions.h"
#include "http/api/negotiate.h"
#include "http/api/places.h"
#include "http/api/post_events.h"
#include "http/api/traced_reader.h"
#include "http/wire/parameters.h"
#include "http/wire/process_routes.h"
#include "questions/device.h"

namespace dwell {
namespace {

namespace asio = boost::asio;

constexpr std::size_t kPage = 1'000;  // items, where no limit is asked for

std::string percent_encoded(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) || c == '-' || c == '.' || c == '_' || c == '~') {
      out += c;
    } else {
      out += '%';
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  return out;
}

// The rest of the query that a `next` link repeats.
std::string link_to_next(const Target& target, std::string_view cursor) {
  std::string url;
  for (const std::string& segment : target.segments) url += '/' + percent_encoded(segment);
  url += '?';
  for (const auto& [name, value] : target.parameters) {
    if (name != "cursor") url += percent_encoded(name) + '=' + percent_encoded(value) + '&';
  }
  return fmt::format("<{}cursor={}>; rel=\"next\"", url, cursor);
}

boost::json::object device_json(const std::string& id, const DeviceReport& device) {
  boost::json::object body{{"deviceID", id}, {"state", "unknown"}};
  if (device.last_run) {
    body["state"] = device.last_run->type == EventType::enter ? "inside" : "outside";
    body["since"] = format_rfc3339(device.last_run->timestamp);
  }
  body["firstSeen"] = format_rfc3339(device.first_seen);
  if (const auto& outcomes = device.outcomes) {
    const SuppressedCounts& suppressed = outcomes->suppressed;
    body["lastSeen"] = format_rfc3339(outcomes->last_seen);
    body["outcomes"] = {{"accepted", outcomes->accepted},
                        {"repeated_enter", suppressed.repeated_enter},
                        {"repeated_exit", suppressed.repeated_exit},
                        {"duplicate", suppressed.duplicate},
                        {"initial_exit", suppressed.initial_exit},
                        {"promoted", outcomes->promoted},
                        {"retracted", outcomes->retracted}};
  }
  return body;
}

}  // namespace

std::vector<Route> Api::routes() {
  using Handler = asio::awaitable<Reply> (Api::*)(const Request&, const Target&);
  const auto to = [this](Handler handler) -> Route::Handler {
    return [this, handler](const Request& request, const Target& target) {
      return (this->*handler)(request, target);
    };
  };
  std::vector<Route> all = {
      {"/timeline", {"timeline"}, Method::post, to(&Api::post_timeline)},
      {"/devices/{device}", {"devices", ""}, Method::get, to(&Api::get_device)},
      {"/openapi.json", {"openapi.json"}, Method::get, to(&Api::get_openapi)},
  };
  for (const ListRoute& list : list_routes()) {
    all.push_back({list.name, list.pattern, Method::get,
                   [this, list](const Request& request, const Target& target) {
                     return get_list(list, request, target);
                   }});
  }
  for (Route& route : process_routes(parts_.health, parts_.metrics))
    all.push_back(std::move(route));
  return all;
}

Api::Api(const ApiParts& parts)
    : parts_(parts),
      posted_events_(parts.rule, parts.record_bytes),
      router_(routes(), "there is nothing here; GET /openapi.json lists what there is") {}

// The value of `after`: what a client has posted and wants to see.
std::vector<InputPlace> Api::places_of(Parameters& parameters) const {
  const std::string* text = parameters.text("after");
  if (!text) return {};
  auto places = parse_places(*text);
  if (places) return *places;
  parameters.refuse("after", "the Dwell-Position of an answer, as in 0:42,3:17");
  return {};
}

// Empty once all of it can be read.
asio::awaitable<std::optional<Reply>> Api::wait_for(const std::vector<InputPlace>& places) {
  if (places.empty() || !parts_.visibility) co_return std::nullopt;
  const auto waited = co_await parts_.visibility->wait_for(places);
  if (!waited) {  // a partition that is not there is the client's
    const bool is_clients = waited.error().kind == ErrorKind::invalid;
    if (!is_clients) co_return store_problem(waited.error());
    co_return problem(Status::bad_request, "invalid-parameter", waited.error().message, "after");
  }
  co_return std::nullopt;
}

// The reader, or one that records what a traced request asks it.
std::shared_ptr<RowReader> Api::reader_for(const Request& request, RowReader& reader) const {
  if (!request.is_traced || !parts_.tracer.is_on()) return {std::shared_ptr<void>(), &reader};
  return std::make_shared<TracedReader>(reader, parts_.tracer, parts_.system, request);
}

asio::awaitable<Reply> Api::post_timeline(const Request& request, const Target& target) {
  const PostParts parts{parts_.intake, posted_events_, parts_.clock, parts_.body_bytes};
  co_return co_await post_events(parts, request, target);
}

asio::awaitable<Reply> Api::get_list(const ListRoute& route, const Request& request,
                                     const Target& target) {
  Parameters parameters(target);
  const std::shared_ptr<ListQuestion> question =
      route.make(parameters, target, parts_.clock.wall());
  const auto limit = parameters.limit();
  if (const std::string* cursor = parameters.text("cursor")) {
    const auto place = parse_cursor(*cursor, question->filter());
    if (!place || !question->go_on(*place)) {
      parameters.refuse("cursor",
                        "the `next` of a page of the same query, with its other "
                        "parameters unchanged");
    }
  }
  const auto after = places_of(parameters);
  if (auto wrong = parameters.problem_found()) co_return *wrong;
  const auto representation =
      route.is_json_alone ? Representation::json : negotiate(request.accept);
  if (!representation) {
    co_return problem(Status::not_acceptable, "not-acceptable",
                      "there are application/json, application/x-ndjson and text/csv");
  }
  if (auto late = co_await wait_for(after)) co_return *late;

  Reply reply;
  reply.content_type = content_type(*representation);
  if (!route.is_json_alone) reply.headers.emplace_back("Vary", "Accept, Accept-Encoding");
  question->begin(*representation, reply.body);
  const auto reader = reader_for(request, parts_.reader);
  const auto has_more = co_await question->page(*reader, limit.value_or(kPage), reply.body);
  if (!has_more) co_return store_problem(has_more.error());
  if (*has_more && !limit && route.is_streamed) {
    reply.more = [reader = reader_for(request, parts_.stream_reader),
                  question](std::string& out) -> asio::awaitable<Result<bool>> {
      auto more = co_await question->page(*reader, kPage, out);
      if (more && !*more) question->end(std::nullopt, out);
      co_return more;
    };
    co_return reply;
  }
  std::optional<std::string> next;
  if (*has_more) {
    next = cursor_text(question->place(), question->filter());
    reply.headers.emplace_back("Link", link_to_next(target, *next));
  }
  question->end(next, reply.body);
  co_return reply;
}

asio::awaitable<Reply> Api::get_device(const Request& request, const Target& target) {
  Parameters parameters(target);
  const auto after = places_of(parameters);
  if (auto wrong = parameters.problem_found()) co_return *wrong;
  if (auto late = co_await wait_for(after)) co_return *late;
  const std::string& id = target.segments[1];
  Result<std::optional<DeviceReport>> found;
  const auto reader = reader_for(request, parts_.reader);
  if (is_valid_device_id(id)) found = co_await device_report(*reader, id);
  if (!found) co_return store_problem(found.error());
  if (!*found) co_return problem(Status::not_found, "no-such-device", "the device was never seen");
  co_return json_reply(device_json(id, **found));
}

asio::awaitable<Reply> Api::get_openapi(const Request&, const Target&) {
  co_return text_reply(std::string(openapi_document()), "application/json");
}

}  // namespace dwell
