#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "http/wire/body_sink.h"
#include "ports/intake.h"

namespace dwell {

inline constexpr std::size_t kMostPostedEvents = 100'000;
inline constexpr std::size_t kMostBadEvents = 100;          // that are told one by one
inline constexpr std::size_t kLongestEventType = 64 << 10;  // bytes

// One event of a request that cannot be stored, and why.
struct BadEvent {
  std::size_t index;  // in the request, from 0
  std::string_view member;
  std::string_view detail;
};

struct EventsBody {
  Submission submission;          // the good events, as records of the input format
  std::vector<std::size_t> good;  // their indices in the request
  std::vector<BadEvent> bad;      // the first kMostBadEvents of them
  std::size_t count = 0;          // of events in the request, good and bad
};

// Reads `{"events":[{"deviceID","eventType","timestamp"}]}` as it comes in, in pieces cut anywhere;
// timestamps in RFC 3339, device_id and event_type are read too. Of duplicate members the last one
// counts, others are passed over.
//
// Neither the text nor a tree of it is kept: an event becomes a record as soon as it ends, and what
// can no longer become a list of events is refused, and all of it let go, as soon as that is seen.
class EventsReader final : public BodySink {
 public:
  // An event that is longer as a record than so many bytes is a bad one.
  explicit EventsReader(std::size_t longest_record = 1 << 20);
  ~EventsReader() override;

  void add(std::string_view piece) override;
  std::size_t memory() const override;

  // Once all pieces were added. Errors: invalid (not JSON, no list of events, too many).
  Result<EventsBody> finish();

 private:
  class Parser;
  std::unique_ptr<Parser> parser_;
};

}  // namespace dwell
