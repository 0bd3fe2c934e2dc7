#include "http/api/post_events.h"

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
#include <fmt/format.h>
#include <iterator>
#include <memory>
#include <optional>

#include "http/api/events_body.h"
#include "http/api/places.h"
#include "http/wire/gzip.h"
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
    list.push_back(
        {{"index", event.index}, {"member", std::string(event.member)}, {"detail", event.detail}});
  }
  return list;
}

// An event that came too late, and that the rows show already.
constexpr std::string_view kAlreadyStored = "already_stored";

bool is_known(const Submitted& submitted, std::size_t i) {
  const auto& known = submitted.known_late;
  return std::binary_search(known.begin(), known.end(), i);
}

// A member of an answer: what became of each event, null for a bad one. As text, since a value
// for each would take many times the bytes of a small event.
std::string outcomes_text(const EventsBody& body, const Submitted& submitted) {
  const auto& outcomes = submitted.outcomes;
  std::string text = "\"outcomes\":[";
  std::size_t stored = 0;
  for (std::size_t i = 0; i < body.count; ++i) {
    if (i > 0) text += ',';
    const bool is_stored = stored < outcomes.size() && body.good[stored] == i;
    if (is_stored) {
      const auto word = is_known(submitted, stored) ? kAlreadyStored : name(outcomes[stored]);
      fmt::format_to(std::back_inserter(text), "\"{}\"", word);
      ++stored;
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

// What the rule has rejected of a request.
struct Rejected {
  std::size_t count = 0;
  std::size_t first = 0;  // among the good events
};

Rejected rejected_of(const Submitted& submitted) {
  Rejected rejected;
  for (std::size_t i = 0; i < submitted.outcomes.size(); ++i) {
    if (!is_rejected(submitted.outcomes[i]) || is_known(submitted, i)) continue;
    if (rejected.count++ == 0) rejected.first = i;
  }
  return rejected;
}

std::string_view reason_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::future_timestamp:
      return "its time is further ahead of this service's clock than clock.max_ahead";
    case Outcome::past_timestamp:
      return "its time is before clock.earliest, or further behind this service's clock than "
             "clock.max_behind";
    case Outcome::too_late:
      return "its time is older than what the service can still correct of this device "
             "(order.horizon, order.window_max)";
    default:
      return "the rule cannot use it";
  }
}

// The beginning of a problem, whose other members follow.
std::string rejected_text(const EventsBody& body, const std::vector<Outcome>& outcomes,
                          const Rejected& rejected) {
  const Outcome outcome = outcomes[rejected.first];
  const json::object problem{
      {"type", "urn:dwell:rejected"},
      {"title", "Unprocessable Entity"},
      {"status", 422},
      {"detail", fmt::format("event {}: {}: {}; all events were rejected and kept as such",
                             body.good[rejected.first], name(outcome), reason_of(outcome))}};
  std::string text = json::serialize(problem);
  text.back() = ',';
  return text;
}

// Of a request whose events are durable.
Reply stored_reply(const EventsBody& body, const Submitted& submitted, bool is_partial) {
  Reply reply;
  reply.status = Status::created;
  reply.body = "{";
  if (submitted.places.empty()) {
    const auto rejected = rejected_of(submitted);
    if (rejected.count > 0) {
      reply.headers.emplace_back("Dwell-Rejected", std::to_string(rejected.count));
      if (rejected.count == submitted.outcomes.size()) {
        reply.status = Status::unprocessable_entity;
        reply.content_type = "application/problem+json";
        reply.body = rejected_text(body, submitted.outcomes, rejected);
      }
    }
    reply.body += outcomes_text(body, submitted);
  } else {
    const auto position = format_places(submitted.places);
    reply.body += fmt::format(R"("position":"{}")", position);
    reply.headers.emplace_back("Dwell-Position", position);
  }
  if (is_partial) reply.body += ",\"errors\":" + json::serialize(bad_events(body.bad));
  reply.body += "}\n";
  return reply;
}

// A missing type is taken for JSON, but not from a browser: what a page sends without a type needs
// no leave of this service, and what it sends as JSON does.
std::optional<BodyForm> form_of(const Request& request) {
  using boost::beast::iequals;
  const std::string_view content_type = request.content_type;
  if (content_type.empty() && !request.is_from_browser) return BodyForm::json;
  auto type = content_type.substr(0, content_type.find(';'));
  type = type.substr(0, type.find_last_not_of(" \t") + 1);
  constexpr std::string_view kApplication = "application/", kJson = "+json";
  if (!iequals(type.substr(0, kApplication.size()), kApplication)) return std::nullopt;
  type.remove_prefix(kApplication.size());
  if (iequals(type, "x-ndjson") || iequals(type, "ndjson")) return BodyForm::lines;
  const bool is_json =
      iequals(type, "json") ||
      (type.size() > kJson.size() && iequals(type.substr(type.size() - kJson.size()), kJson));
  return is_json ? std::optional(BodyForm::json) : std::nullopt;
}

// Whether the body is compressed; empty: in a way that is not known.
std::optional<bool> is_compressed(const Request& request) {
  using boost::beast::iequals;
  const std::string& coding = request.content_encoding;
  if (coding.empty() || iequals(coding, "identity")) return false;
  if (iequals(coding, "gzip") || iequals(coding, "x-gzip")) return true;
  return std::nullopt;
}

Reply unknown_coding() {
  Reply reply = problem(Status::unsupported_media_type, "unsupported-media-type",
                        "send the body as it is, or with Content-Encoding: gzip");
  reply.headers.emplace_back("Accept-Encoding", "gzip");  // RFC 7694
  return reply;
}

// What an intake takes from nobody is the client's to mend; all else is the service's.
Reply refusal(const Error& error) {
  if (error.kind != ErrorKind::invalid) return problem(error);
  return problem(Status::bad_request, "invalid-event", error.message);
}

}  // namespace

asio::awaitable<Reply> post_events(const PostParts& parts, const Request& request,
                                   const Target& target) {
  Parameters parameters(target);
  const bool is_partial = parameters.is_true("partial");
  if (auto wrong = parameters.problem_found()) co_return *wrong;
  const auto form = form_of(request);
  if (!form) {
    co_return problem(Status::unsupported_media_type, "unsupported-media-type",
                      "send the events as application/json, or one a line as "
                      "application/x-ndjson; with curl, add -H 'Content-Type: application/json'");
  }
  const auto is_packed = is_compressed(request);
  if (!is_packed) co_return unknown_coding();
  EventsReader events(parts.events, *form, parts.clock.wall());
  std::optional<Gunzip> unpacked;
  if (*is_packed) unpacked.emplace(events, parts.body_bytes);
  BodySink& sink = unpacked ? static_cast<BodySink&>(*unpacked) : events;
  const bool is_whole = co_await request.receive_body(sink);
  if (!is_whole) co_return Reply();
  if (unpacked && !unpacked->is_whole()) {
    co_return problem(Status::bad_request, "invalid-body",
                      "the body is not one whole gzip stream, as Content-Encoding says");
  }
  auto body = events.finish();
  if (!body) co_return problem(Status::bad_request, "invalid-body", body.error().message);
  if (!body->bad.empty() && !is_partial) co_return bad_events_problem(body->bad);

  Submitted submitted;
  if (!body->good.empty()) {
    body->submission.traceparent = request.traceparent;
    body->submission.tracestate = request.tracestate;
    body->submission.is_traced = request.is_traced;
    auto stored = co_await submit(parts.intake, std::move(body->submission));
    if (!stored) co_return refusal(stored.error());
    submitted = std::move(*stored);
  }
  co_return stored_reply(*body, submitted, is_partial);
}

}  // namespace dwell
