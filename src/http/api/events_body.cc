#include "http/api/events_body.h"

#include <fmt/format.h>
#include <utility>

namespace dwell {
namespace {

std::size_t capacity_in_bytes(const std::vector<std::size_t>& numbers) {
  return numbers.capacity() * sizeof(std::size_t);
}

}  // namespace

EventsReader::EventsReader(PostedEvents& events, BodyForm form, Timestamp now)
    : events_(events), form_(form), now_(now), splitter_(form, events.longest()) {}

void EventsReader::add(std::string_view piece) {
  splitter_.add(piece);
  read();
}

Result<EventsBody> EventsReader::finish() {
  splitter_.end();
  read();
  const std::string& refusal = splitter_.refusal();
  if (!refusal.empty()) return fail(ErrorKind::invalid, "{}", refusal);
  return std::move(body_);
}

void EventsReader::read() {
  BodyElement element;
  while (splitter_.next(element)) take(element);
  if (splitter_.refusal().empty()) return;
  const EventsBody let_go = std::move(body_);
  body_ = {};
}

void EventsReader::take(const BodyElement& element) {
  if (body_.count == kMostPostedEvents) {
    return splitter_.refuse(
        fmt::format("the body has too many values in events; send at most {} in one request",
                    kMostPostedEvents));
  }
  ++body_.count;
  if (element.size > events_.longest()) {
    return note_bad(
        {}, fmt::format("the event has {} bytes, more than input.max_record", element.size));
  }
  const bool is_object = element.bytes[element.bytes.find_first_not_of(" \t\r\n")] == '{';
  if (!is_object) {
    if (form_ == BodyForm::json) splitter_.check(element);
    return note_bad({}, "an event must be an object");
  }
  auto fault = events_.add(element.bytes, now_, body_.submission);
  if (!fault) return body_.good.push_back(body_.count - 1);
  if (!fault->is_json && form_ == BodyForm::json) splitter_.check(element);
  if (splitter_.has_other_events()) {
    splitter_.refuse("the body has `events` that are no array; send {\"events\":[...]}");
  }
  note_bad(fault->member, std::move(fault->detail));
}

void EventsReader::note_bad(std::string_view member, std::string detail) {
  if (body_.bad.size() == kMostBadEvents) return;
  body_.bad.push_back({body_.count - 1, member, std::move(detail)});
}

std::size_t EventsReader::memory() const {
  const Submission& submission = body_.submission;
  return splitter_.memory() + submission.bytes.capacity() + submission.devices.capacity() +
         capacity_in_bytes(submission.ends) + capacity_in_bytes(submission.device_ends) +
         capacity_in_bytes(body_.good) + body_.bad.capacity() * sizeof(BadEvent);
}

}  // namespace dwell
