#include "http/api/post_events.h"

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

#include "http/api/events_body.h"
#include "http/api/places.h"
#include "http/wire/parameters.h"
#include "http/wire/process_routes.h"

namespace dwell {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

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

// What an intake takes from nobody is the client's to mend; all else is the service's.
Reply refusal(const Error& error) {
  if (error.kind != ErrorKind::invalid) return problem(error);
  return problem(Status::bad_request, "invalid-event", error.message);
}

}  // namespace

asio::awaitable<Reply> post_events(Intake& intake, std::size_t record_bytes, const Request& request,
                                   const Target& target) {
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
  EventsReader events(record_bytes);
  const bool is_whole = co_await request.receive_body(events);
  if (!is_whole) co_return Reply();
  auto body = events.finish();
  if (!body) co_return problem(Status::bad_request, "invalid-body", body.error().message);
  if (!body->bad.empty() && !is_partial) co_return bad_events_problem(body->bad);

  Submitted submitted;
  if (!body->good.empty()) {
    auto stored = co_await submit(intake, std::move(body->submission));
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

}  // namespace dwell
