#include "http/wire/reply.h"

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <simdjson.h>

namespace dwell {
namespace {

// The text, or one without what is not ASCII: clients send any bytes, and JSON has none but UTF-8.
std::string in_utf8(std::string_view text) {
  std::string out(text);
  if (!simdjson::validate_utf8(out)) {
    std::replace_if(
        out.begin(), out.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; }, '?');
  }
  return out;
}

}  // namespace

Reply problem(Status status, std::string_view type, std::string_view detail,
              std::string_view parameter) {
  boost::json::object body{{"type", "urn:dwell:" + std::string(type)},
                           {"title", std::string(boost::beast::http::obsolete_reason(status))},
                           {"status", static_cast<unsigned>(status)},
                           {"detail", in_utf8(detail)}};
  if (!parameter.empty()) body["parameter"] = in_utf8(parameter);
  Reply reply;
  reply.status = status;
  reply.content_type = "application/problem+json";
  reply.body = boost::json::serialize(body) + '\n';
  if (status == Status::service_unavailable) reply.headers.emplace_back("Retry-After", "1");
  return reply;
}

Reply problem(const Error& error) {
  switch (error.kind) {
    case ErrorKind::invalid:
      return problem(Status::bad_request, "invalid", error.message);
    case ErrorKind::not_found:
      return problem(Status::not_found, "not-found", error.message);
    case ErrorKind::retry_later:
    case ErrorKind::aborted:
    case ErrorKind::lost_ownership:
      return problem(Status::service_unavailable, "unavailable", error.message);
    case ErrorKind::unknown_outcome:
      return problem(Status::service_unavailable, "unknown-outcome",
                     error.message + "; send it again, no row is stored twice");
    case ErrorKind::fatal:
      return problem(Status::internal_server_error, "internal", error.message);
  }
  return problem(Status::internal_server_error, "internal", error.message);
}

Reply store_problem(const Error& error) {
  const bool blames_client = error.kind == ErrorKind::invalid || error.kind == ErrorKind::not_found;
  return problem(blames_client ? Error{ErrorKind::fatal, error.message} : error);
}

}  // namespace dwell
