#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstddef>

#include "http/wire/router.h"
#include "ports/intake.h"

namespace dwell {

// POST /timeline: takes the events of a body in. One that is longer than `record_bytes` as a record
// is refused.
boost::asio::awaitable<Reply> post_events(Intake& intake, std::size_t record_bytes,
                                          const Request& request, const Target& target);

}  // namespace dwell
