#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstddef>

#include "http/api/posted_events.h"
#include "http/wire/router.h"
#include "ports/clock.h"
#include "ports/intake.h"

namespace dwell {

struct PostParts {
  Intake& intake;
  PostedEvents& events;
  Clock& clock;
  std::size_t body_bytes;  // a compressed body has at most so many once it is unpacked
};

// POST /timeline: takes the events of a body in.
boost::asio::awaitable<Reply> post_events(const PostParts& parts, const Request& request,
                                          const Target& target);

}  // namespace dwell
