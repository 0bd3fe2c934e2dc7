#include "http/events_body.h"

#include <algorithm>
#include <boost/json/monotonic_resource.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <new>

#include "core/decoder.h"

namespace dwell {
namespace {

namespace json = boost::json;

constexpr std::size_t kDeepest = 32;

// What a document may take while it is read: a body of many tiny values becomes far more than its
// bytes. The longest list of events, with names and times of usual lengths, takes a third of it.
constexpr std::size_t kMostMemory = 128 << 20;

class BoundedMemory final : public json::memory_resource {
  void* do_allocate(std::size_t bytes, std::size_t) override {
    if (bytes > kMostMemory - used_) throw std::bad_alloc();
    used_ += bytes;
    return ::operator new(bytes);
  }
  void do_deallocate(void* place, std::size_t bytes, std::size_t) override {
    used_ -= bytes;
    ::operator delete(place);
  }
  bool do_is_equal(const json::memory_resource& other) const noexcept override {
    return this == &other;
  }
  std::size_t used_ = 0;
};

// The text member `name`, or `other_name`; null when missing or no text.
const json::string* text_member(const json::object& event, std::string_view name,
                                std::string_view other_name) {
  const json::value* value = event.if_contains(name);
  if (!value) value = event.if_contains(other_name);
  return value ? value->if_string() : nullptr;
}

std::optional<BadEvent> append(const json::value& value, std::size_t index,
                               Submission& submission) {
  const auto bad = [&](std::string_view member, std::string_view detail) {
    return BadEvent{index, std::string(member), std::string(detail)};
  };
  const auto* event = value.if_object();
  if (!event) return bad("", "an event must be an object");
  const auto* device = text_member(*event, "deviceID", "device_id");
  if (!device || !is_valid_device_id(*device)) {
    return bad("deviceID", "expected a text of 1 to 256 bytes without control characters");
  }
  const auto* type = text_member(*event, "eventType", "event_type");
  if (!type || type->empty()) return bad("eventType", "expected device_enter or device_exit");
  const auto* time = text_member(*event, "timestamp", "timestamp");
  const auto timestamp = time ? parse_rfc3339(*time) : std::nullopt;
  if (!timestamp) return bad("timestamp", "expected an RFC 3339 time such as 2025-07-08T12:00:00Z");

  submission.bytes +=
      fmt::format(R"({{"device_id":{},"event_type":{},"timestamp":{}}})", json::serialize(*device),
                  json::serialize(*type), to_ms(*timestamp));
  submission.ends.push_back(submission.bytes.size());
  submission.devices += std::string_view(*device);
  submission.device_ends.push_back(submission.devices.size());
  return std::nullopt;
}

}  // namespace

Result<EventsBody> parse_events_body(std::string_view body) {
  BoundedMemory bound;
  json::monotonic_resource memory(std::max<std::size_t>(body.size(), 1'024), &bound);
  json::error_code error;
  json::parse_options options;
  options.max_depth = kDeepest;
  json::value document;
  try {
    document = json::parse(body, error, &memory, options);
  } catch (const std::bad_alloc&) {
    return fail(ErrorKind::invalid, "the body has too many values; send fewer events at a time");
  }
  if (error) return fail(ErrorKind::invalid, "the body is not JSON: {}", error.message());
  const auto* object = document.if_object();
  const auto* member = object ? object->if_contains("events") : nullptr;
  const auto* events = member ? member->if_array() : nullptr;
  if (!events) {
    return fail(ErrorKind::invalid,
                R"(the body must be {{"events":[{{"deviceID","eventType","timestamp"}}]}})");
  }
  if (events->size() > kMostPostedEvents) {
    return fail(ErrorKind::invalid, "the body has {} events; send at most {} in one request",
                events->size(), kMostPostedEvents);
  }
  EventsBody parsed;
  parsed.count = events->size();
  for (std::size_t i = 0; i < events->size(); ++i) {
    auto bad = append((*events)[i], i, parsed.submission);
    if (bad) {
      parsed.bad.push_back(std::move(*bad));
    } else {
      parsed.good.push_back(i);
    }
  }
  return parsed;
}

}  // namespace dwell
