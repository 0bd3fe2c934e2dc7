#pragma once

#include <boost/beast/http/fields.hpp>
#include <boost/beast/http/message.hpp>
#include <optional>

#include "http/wire/router.h"
#include "http/wire/wire.h"

namespace dwell {

// What a request says before its body.
using RequestHead = boost::beast::http::request_header<>;

// Why nobody can tell who is asked, or where the request ends, as the answer that ends the
// connection: what comes behind it may be a part of it (RFC 9112 sections 3.2 and 6).
std::optional<Reply> find_ambiguity(const RequestHead& head);

bool expects_continue(const RequestHead& head);

// A request without its body.
Request request_of(const RequestHead& head);

// `keeps_alive`: what the client asks for.
Exchange exchange_of(const RequestHead& head, bool keeps_alive);

}  // namespace dwell
