#include "http/api/api.h"

#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <iterator>
#include <memory>

#include "core/decoder.h"
#include "http/api/cursor.h"
#include "http/api/events_body.h"
#include "http/api/places.h"
#include "http/api/timeline_body.h"
#include "http/wire/parameters.h"
#include "http/wire/process_routes.h"

namespace dwell {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

constexpr std::size_t kBytesOfRow = 96;     // about, in any representation
constexpr std::size_t kStreamPage = 1'000;  // rows read at a time for a stream
constexpr std::size_t kPresencePage = 1'000;

// Submits and suspends until the records are durable or refused; resumes on the caller's executor.
asio::awaitable<SubmissionResult> submit(Intake& intake, Submission submission) {
  const auto executor = co_await asio::this_coro::executor;
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(SubmissionResult)>(
      [&intake, &submission, executor](auto handler) {
        auto resume = std::make_shared<decltype(handler)>(std::move(handler));
        intake.submit(std::move(submission), [resume, executor](SubmissionResult result) {
          asio::post(executor, [resume, result = std::move(result)]() mutable {
            (std::move(*resume))(std::move(result));
          });
        });
      },
      asio::use_awaitable);
}

json::array bad_events(const std::vector<BadEvent>& bad) {
  json::array list;
  for (const BadEvent& event : bad) {
    list.push_back({{"index", event.index},
                    {"member", std::string(event.member)},
                    {"detail", std::string(event.detail)}});
  }
  return list;
}

// The beginning of an answer: what became of each event, null for a bad one. As text, since a value
// for each would take many times the bytes of a small event.
std::string outcomes_text(const EventsBody& body, const std::vector<Outcome>& outcomes) {
  std::string text = "{\"outcomes\":[";
  std::size_t stored = 0;
  for (std::size_t i = 0; i < body.count; ++i) {
    if (i > 0) text += ',';
    const bool is_stored = stored < outcomes.size() && body.good[stored] == i;
    if (is_stored) {
      fmt::format_to(std::back_inserter(text), "\"{}\"", name(outcomes[stored++]));
    } else {
      text += "null";
    }
  }
  return text += ']';
}

std::string described(const BadEvent& event) {
  const std::string_view separator = event.member.empty() ? "" : ": ";  // the event as a whole
  return fmt::format("event {}: {}{}{}", event.index, event.member, separator, event.detail);
}

Reply bad_events_problem(const std::vector<BadEvent>& bad) {
  json::object body{
      {"type", "urn:dwell:invalid-event"},
      {"title", "Bad Request"},
      {"status", 400},
      {"detail", described(bad.front()) +
                     "; nothing was stored; mend it or send the request with ?partial=true"},
      {"errors", bad_events(bad)}};
  Reply reply = json_reply(body, Status::bad_request);
  reply.content_type = "application/problem+json";
  return reply;
}

// A missing type is taken for JSON, but not from a browser: what a page sends without a type needs
// no leave of this service, and what it sends as JSON does.
bool is_json(const Request& request) {
  const std::string_view content_type = request.content_type;
  const auto type = content_type.substr(0, content_type.find(';'));
  const auto last = type.find_last_not_of(" \t");
  return content_type.empty() ? !request.is_from_browser
                              : boost::beast::iequals(type.substr(0, last + 1), "application/json");
}

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

// What an intake takes from nobody is the client's to mend; all else is the service's.
Reply refusal(const Error& error) {
  if (error.kind != ErrorKind::invalid) return problem(error);
  return problem(Status::bad_request, "invalid-event", error.message);
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

}  // namespace

std::vector<Route> Api::routes() {
  const auto to = [this](Handler handler) -> Route::Handler {
    return [this, handler](const Request& request, const Target& target) {
      return (this->*handler)(request, target);
    };
  };
  std::vector<Route> all = {
      {"/timeline", {"timeline"}, Method::post, to(&Api::post_timeline)},
      {"/timeline/{device}", {"timeline", ""}, Method::get, to(&Api::get_timeline)},
      {"/presence", {"presence"}, Method::get, to(&Api::get_presence)},
      {"/devices/{device}", {"devices", ""}, Method::get, to(&Api::get_device)},
      {"/openapi.json", {"openapi.json"}, Method::get, to(&Api::get_openapi)},
  };
  for (Route& route : process_routes(parts_.health, parts_.metrics))
    all.push_back(std::move(route));
  return all;
}

Api::Api(const ApiParts& parts)
    : parts_(parts),
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

asio::awaitable<Reply> Api::post_timeline(const Request& request, const Target& target) {
  Parameters parameters(target);
  const bool is_partial = parameters.is_true("partial");
  if (auto wrong = parameters.problem_found()) co_return *wrong;
  if (!is_json(request)) {
    co_return problem(Status::unsupported_media_type, "unsupported-media-type",
                      "send the events as application/json; with curl, add -H 'Content-Type: "
                      "application/json'");
  }
  const std::string& coding = request.content_encoding;
  if (!coding.empty() && !boost::beast::iequals(coding, "identity")) {
    co_return problem(Status::unsupported_media_type, "unsupported-media-type",
                      "send the body as it is, without Content-Encoding");
  }
  EventsReader events(parts_.record_bytes);
  const bool is_whole = co_await request.receive_body(events);
  if (!is_whole) co_return Reply();
  auto body = events.finish();
  if (!body) co_return problem(Status::bad_request, "invalid-body", body.error().message);
  if (!body->bad.empty() && !is_partial) co_return bad_events_problem(body->bad);

  Submitted submitted;
  if (!body->good.empty()) {
    auto stored = co_await submit(parts_.intake, std::move(body->submission));
    if (!stored) co_return refusal(stored.error());
    submitted = std::move(*stored);
  }
  Reply reply;
  reply.status = Status::created;
  if (submitted.places.empty()) {
    reply.body = outcomes_text(*body, submitted.outcomes);
  } else {
    const auto position = format_places(submitted.places);
    reply.body = fmt::format(R"({{"position":"{}")", position);
    reply.headers.emplace_back("Dwell-Position", position);
  }
  if (is_partial) reply.body += ",\"errors\":" + json::serialize(bad_events(body->bad));
  reply.body += "}\n";
  co_return reply;
}

asio::awaitable<Reply> Api::get_timeline(const Request& request, const Target& target) {
  Parameters parameters(target);
  TimelineQuery query;
  query.device = target.segments[1];
  query.start = parameters.time("start", kEarliest);
  query.end = parameters.time("end", kLatest);
  const bool is_descending = parameters.choice("order", "asc", "desc");
  query.order = is_descending ? RowOrder::descending : RowOrder::ascending;
  const auto limit = parameters.limit();
  const auto filter = [&] {  // a cursor is for this query alone
    return fmt::format("{}\n{}\n{}\n{}", query.device, to_ms(query.start), to_ms(query.end),
                       is_descending);
  };
  if (const std::string* cursor = parameters.text("cursor")) {
    query.after = parse_row_cursor(*cursor, filter());
    if (!query.after) {
      parameters.refuse("cursor",
                        "the `next` of a page of the same query, with its other "
                        "parameters unchanged");
    }
  }
  const auto after = places_of(parameters);
  if (auto wrong = parameters.problem_found()) co_return *wrong;
  const auto representation = negotiate(request.accept);
  if (!representation) {
    co_return problem(Status::not_acceptable, "not-acceptable",
                      "there are application/json, application/x-ndjson and text/csv");
  }

  if (auto late = co_await wait_for(after)) co_return *late;
  // One row more than asked for tells whether there is a next page.
  query.limit = limit ? *limit + 1 : kStreamPage;
  Result<std::vector<Row>> rows;
  // No store need be able to look for what none can hold.
  if (is_valid_device_id(query.device)) rows = co_await parts_.reader.timeline(query);
  if (!rows) co_return store_problem(rows.error());
  Reply reply;
  reply.content_type = content_type(*representation);
  reply.headers.emplace_back("Vary", "Accept, Accept-Encoding");
  TimelineWriter writer(*representation, query.device);
  reply.body.reserve(rows->size() * kBytesOfRow);
  writer.begin(reply.body);
  std::optional<std::string> next;
  if (limit && rows->size() > *limit) {
    rows->pop_back();
    next = row_cursor(rows->back(), filter());
    reply.headers.emplace_back("Link", link_to_next(target, *next));
  }
  for (const Row& row : *rows) writer.add(row, reply.body);
  if (limit || rows->size() < kStreamPage) {
    writer.end(next, reply.body);
    co_return reply;
  }
  query.after = rows->back();
  reply.more = [&reader = parts_.stream_reader, writer,
                query](std::string& out) mutable -> asio::awaitable<Result<bool>> {
    auto page = co_await reader.timeline(query);
    if (!page) co_return pass(page);
    for (const Row& row : *page) writer.add(row, out);
    const bool has_more = page->size() == kStreamPage;
    if (has_more) {
      query.after = page->back();
    } else {
      writer.end(std::nullopt, out);
    }
    co_return has_more;
  };
  co_return reply;
}

asio::awaitable<Reply> Api::get_presence(const Request&, const Target& target) {
  Parameters parameters(target);
  PresenceQuery query;
  query.at = parameters.time("at", parts_.clock.wall());
  query.limit = parameters.limit().value_or(kPresencePage);
  // Further pages are about the moment the first one was about, which the cursor carries.
  if (const std::string* cursor = parameters.text("cursor")) {
    auto place = parse_presence_cursor(*cursor);
    if (!place || !is_valid_device_id(place->device) ||
        (target.parameter("at") && place->at != query.at)) {
      parameters.refuse("cursor",
                        "the `next` of a page of the same query, with its other "
                        "parameters unchanged");
    } else {
      query.at = place->at;
      query.after = std::move(place->device);
    }
  }
  const auto after = places_of(parameters);
  if (auto wrong = parameters.problem_found()) co_return *wrong;
  if (auto late = co_await wait_for(after)) co_return *late;

  const auto page = co_await parts_.reader.presence(query);
  if (!page) co_return store_problem(page.error());
  json::array devices;
  for (const Presence& presence : page->inside) {
    devices.push_back({{"deviceID", presence.device}, {"since", format_rfc3339(presence.since)}});
  }
  json::object body{{"at", format_rfc3339(query.at)}, {"devices", std::move(devices)}};
  Reply reply;
  if (page->next) {
    const auto next = presence_cursor({query.at, *page->next});
    body["next"] = next;
    reply.headers.emplace_back("Link", link_to_next(target, next));
  }
  reply.body = json::serialize(body) + '\n';
  co_return reply;
}

asio::awaitable<Reply> Api::get_device(const Request&, const Target& target) {
  Parameters parameters(target);
  const auto after = places_of(parameters);
  if (auto wrong = parameters.problem_found()) co_return *wrong;
  if (auto late = co_await wait_for(after)) co_return *late;
  const std::string& id = target.segments[1];
  Result<std::optional<DeviceReport>> found;
  if (is_valid_device_id(id)) found = co_await parts_.reader.device(id);
  if (!found) co_return store_problem(found.error());
  if (!*found) co_return problem(Status::not_found, "no-such-device", "the device was never seen");
  const DeviceReport& device = **found;
  json::object body{{"deviceID", id}, {"state", "unknown"}};
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
  co_return json_reply(body);
}

asio::awaitable<Reply> Api::get_openapi(const Request&, const Target&) {
  co_return text_reply(std::string(openapi_document()), "application/json");
}

}  // namespace dwell
