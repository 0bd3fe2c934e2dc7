#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/beast/http/status.hpp>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace dwell {

using Status = boost::beast::http::status;

// What a handler answers, before it is put on the wire.
struct Reply {
  Status status = Status::ok;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;

  // If set, `body` is only the beginning: each call appends the next piece, and the value says
  // whether more follows. An error ends the connection without the end mark.
  std::function<boost::asio::awaitable<Result<bool>>(std::string& body)> more;
};

// An error as application/problem+json (RFC 9457). `type` is stable and documented in docs/api.md;
// `parameter` names what was wrong, if anything can be named.
Reply problem(Status status, std::string_view type, std::string_view detail,
              std::string_view parameter = {});

// An error of a port as a problem: 400, 404, 503 with Retry-After, or 500.
Reply problem(const Error& error);

// An error of what stores rows as a problem: never the client's. 503 with Retry-After, or 500.
Reply store_problem(const Error& error);

}  // namespace dwell
