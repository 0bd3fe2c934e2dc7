#include "http/api/posted_events.h"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

namespace dwell {
namespace {

// What is written is read the same under each version, so that events are read as under the newest.
Rule newest(Rule rule) {
  rule.version = kRuleVersion;
  return rule;
}

void append_quoted(std::string& out, std::string_view text) {
  const bool is_plain = std::none_of(text.begin(), text.end(), [](char c) {
    return c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20;
  });
  if (is_plain) {
    out += '"';
    out += text;
    out += '"';
  } else {
    out += boost::json::serialize(boost::json::string_view(text.data(), text.size()));
  }
}

PostedEvents::Fault documented_fault(Outcome outcome) {
  if (outcome == Outcome::invalid_device_id) {
    return {"deviceID", "expected a text of 1 to 256 bytes without control characters"};
  }
  if (outcome == Outcome::invalid_timestamp) {
    return {"timestamp", "expected an RFC 3339 time such as 2025-07-08T12:00:00Z"};
  }
  return {"eventType", "expected device_enter or device_exit"};
}

std::string_view documented_name(std::string_view member) {
  if (member == "device_id") return "deviceID";
  return member == "event_type" ? "eventType" : member;
}

}  // namespace

PostedEvents::PostedEvents(const Rule& rule, std::size_t longest)
    : longest_(longest), documented_(Decoder::of_posts()), mapped_(newest(rule)) {}

std::optional<PostedEvents::Fault> PostedEvents::add(std::string_view event, Timestamp now,
                                                     Submission& out) {
  documented_.reset();
  mapped_.reset();
  const Record record{.bytes = event, .now = now};
  const Decoded documented = documented_.decode(record);
  const bool is_documented = documented_.has_all_members();
  const bool has_documented_type = documented.ignored_type.data() == nullptr;
  if (is_documented && has_documented_type) return add_documented(documented, out);

  const Decoded mapped = mapped_.decode(record);
  if (mapped.outcome == Outcome::accepted) {
    return append(mapped.event.device, wire_name(mapped.event.type), mapped.event.timestamp, out);
  }
  if (is_documented) return add_documented(documented, out);
  if (mapped.outcome == Outcome::ignored) return append_ignored(mapped.ignored_type, out);
  return explain(record);
}

std::optional<PostedEvents::Fault> PostedEvents::add_documented(const Decoded& event,
                                                                Submission& out) {
  if (event.outcome != Outcome::accepted) return documented_fault(event.outcome);
  const std::string_view other = event.ignored_type;
  if (other.data() && other.empty()) return documented_fault(Outcome::invalid_event_type);
  return append(event.event.device, other.data() ? other : wire_name(event.event.type),
                event.event.timestamp, out);
}

std::optional<PostedEvents::Fault> PostedEvents::append(std::string_view device,
                                                        std::string_view type, Timestamp time,
                                                        Submission& out) {
  const std::size_t start = out.bytes.size();
  out.bytes += R"({"device_id":)";
  append_quoted(out.bytes, device);
  out.bytes += R"(,"event_type":)";
  append_quoted(out.bytes, type);
  out.bytes += R"(,"timestamp":)";
  const fmt::format_int milliseconds(to_ms(time));
  out.bytes.append(milliseconds.data(), milliseconds.size());
  return end(start, device, out);
}

// A type is enough for a record to be ignored. One that the settings do not know but the documented
// form does would be taken for an enter or exit.
std::optional<PostedEvents::Fault> PostedEvents::append_ignored(std::string_view type,
                                                                Submission& out) {
  const bool has_meaning =
      type == wire_name(EventType::enter) || type == wire_name(EventType::exit);
  const std::size_t start = out.bytes.size();
  out.bytes += R"({"event_type":)";
  append_quoted(out.bytes, has_meaning ? "other" : type);
  return end(start, {}, out);
}

std::optional<PostedEvents::Fault> PostedEvents::end(std::size_t start, std::string_view device,
                                                     Submission& out) {
  out.bytes += '}';
  if (out.bytes.size() - start > longest_) {
    out.bytes.resize(start);
    // Device and time have a length that fits, so it is the type.
    return Fault{"eventType",
                 "the event is longer as a record than input.max_record; send a shorter type"};
  }
  out.ends.push_back(out.bytes.size());
  out.devices += device;
  out.device_ends.push_back(out.devices.size());
  return std::nullopt;
}

PostedEvents::Fault PostedEvents::explain(const Record& record) {
  std::string text = mapped_.explain(record);
  const std::string_view member = mapped_.member_at_fault();
  if (member.empty()) return {{}, std::move(text), false};
  // The member stands beside the detail already.
  return {documented_name(member), text.substr(member.size() + 1)};
}

}  // namespace dwell
