#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "http/api/body_splitter.h"
#include "http/api/posted_events.h"
#include "http/wire/body_sink.h"
#include "ports/intake.h"

namespace dwell {

inline constexpr std::size_t kMostPostedEvents = 100'000;
inline constexpr std::size_t kMostBadEvents = 100;  // that are told one by one

// One event of a request that cannot be stored, and why.
struct BadEvent {
  std::size_t index;        // in the request, from 0
  std::string_view member;  // empty: the event as a whole
  std::string detail;
};

struct EventsBody {
  Submission submission;          // the good events, as records of the input format
  std::vector<std::size_t> good;  // their indices in the request
  std::vector<BadEvent> bad;      // the first kMostBadEvents of them
  std::size_t count = 0;          // of events in the request, good and bad
};

// Reads the events of a body as it comes in, in pieces cut anywhere.
//
// Neither the text nor a tree of it is kept: an event becomes a record as soon as it ends, and what
// can no longer become a list of events is refused, and all of it let go, as soon as that is seen.
class EventsReader final : public BodySink {
 public:
  // `now` is when the events come in. Borrows `events`.
  EventsReader(PostedEvents& events, BodyForm form, Timestamp now);

  void add(std::string_view piece) override;
  std::size_t memory() const override;

  // Once all pieces were added. Errors: invalid (not JSON, no list of events, too many).
  Result<EventsBody> finish();

 private:
  void read();
  void take(const BodyElement& element);
  void note_bad(std::string_view member, std::string detail);

  PostedEvents& events_;
  const BodyForm form_;
  const Timestamp now_;
  BodySplitter splitter_;
  EventsBody body_;
};

}  // namespace dwell
