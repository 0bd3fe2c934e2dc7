#include "http/wire/request_head.h"

#include <boost/beast/core/string.hpp>
#include <boost/beast/http/rfc7230.hpp>

#include "telemetry/trace_context.h"

namespace dwell {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;

// A list may come in several fields of its name (RFC 9110 section 5.3).
template <typename Name>
std::string all_of(const RequestHead& head, Name name) {
  std::string all;
  const auto [first, last] = head.equal_range(name);
  for (auto field = first; field != last; ++field) {
    if (!all.empty()) all += ", ";
    all += std::string_view(field->value());
  }
  return all;
}

bool takes_gzip(std::string_view accept_encoding) {
  for (const auto& [coding, parameters] : http::ext_list(accept_encoding)) {
    if (!beast::iequals(coding, "gzip")) continue;
    for (const auto& [name, value] : parameters) {
      if (beast::iequals(name, "q")) return value.find_first_not_of("0.") != value.npos;
    }
    return true;
  }
  return false;
}

}  // namespace

std::optional<Reply> find_ambiguity(const RequestHead& head) {
  const bool is_old = head.version() < 11;
  const auto hosts = head.count(http::field::host);
  if (hosts > 1 || (hosts == 0 && !is_old)) {
    return problem(Status::bad_request, "bad-request", "an HTTP/1.1 request needs one Host header");
  }
  if (head.count(http::field::transfer_encoding) == 0) return std::nullopt;
  if (is_old) {
    return problem(Status::bad_request, "bad-request",
                   "HTTP/1.0 has no Transfer-Encoding; send a Content-Length, or HTTP/1.1");
  }
  if (!beast::iequals(all_of(head, http::field::transfer_encoding), "chunked")) {
    return problem(Status::bad_request, "bad-request",
                   "the only Transfer-Encoding taken is chunked, once and alone; send the body as "
                   "it is");
  }
  return std::nullopt;
}

bool expects_continue(const RequestHead& head) {
  return head.version() >= 11 && http::token_list(head[http::field::expect]).exists("100-continue");
}

Request request_of(const RequestHead& head) {
  Request request;
  request.method = head.method();
  request.target = std::string(head.target());
  request.accept = all_of(head, http::field::accept);
  request.content_type = std::string(head[http::field::content_type]);
  request.content_encoding = all_of(head, http::field::content_encoding);
  // What is not as the standard says is not handed on.
  if (const auto parent = head[kTraceParent]; parse_traceparent(parent)) {
    request.traceparent = std::string(parent);
    if (auto state = all_of(head, kTraceState); state.size() <= kLongestTraceState) {
      request.tracestate = std::move(state);
    }
  }
  request.is_from_browser = head.count(http::field::origin) > 0 || head.count("Sec-Fetch-Site") > 0;
  return request;
}

Exchange exchange_of(const RequestHead& head, bool keeps_alive) {
  Exchange exchange;
  exchange.is_head = head.method() == http::verb::head;
  // After CONNECT a client takes what follows for its tunnel.
  exchange.keeps_alive = keeps_alive && head.method() != http::verb::connect;
  exchange.takes_gzip = takes_gzip(all_of(head, http::field::accept_encoding));
  exchange.takes_chunks = head.version() >= 11;
  return exchange;
}

}  // namespace dwell
