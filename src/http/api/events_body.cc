#include "http/api/events_body.h"

#include <algorithm>
#include <array>
#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/serialize.hpp>

#include "core/decoder.h"

namespace dwell {
namespace {

namespace json = boost::json;

constexpr std::size_t kDeepest = 32;

// The members of an event, each by both of its names; `none` is any other.
enum Member { device_id, other_device_id, event_type, other_event_type, timestamp, none };

constexpr std::array<std::string_view, none> kNames = {"deviceID", "device_id", "eventType",
                                                       "event_type", "timestamp"};
constexpr std::array<std::size_t, none> kLongest = {
    kLongestDeviceId, kLongestDeviceId, kLongestEventType, kLongestEventType, kLongestTimestamp};
constexpr std::size_t kLongestName = 10;

// What an event says under one name.
struct Value {
  bool is_there = false;
  bool is_text = false;  // and no longer than it may be
  std::string text;
};

std::size_t capacity_in_bytes(const std::vector<std::size_t>& numbers) {
  return numbers.capacity() * sizeof(std::size_t);
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
    out += json::serialize(json::string_view(text.data(), text.size()));
  }
}

// Gets the document from basic_parser value by value, and keeps what is good of it.
class Collector {
 public:
  static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_key_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);
  using Code = json::error_code;
  using Text = json::string_view;

  explicit Collector(std::size_t longest_record) : longest_record_(longest_record) {}

  bool on_document_begin(Code&) { return true; }
  bool on_document_end(Code&) { return true; }
  bool on_object_begin(Code& error) { return begin(Kind::object, error); }
  bool on_object_end(std::size_t, Code&) { return end(); }
  bool on_array_begin(Code& error) { return begin(Kind::array, error); }
  bool on_array_end(std::size_t, Code&) { return end(); }
  bool on_key_part(Text text, std::size_t, Code&) { return add_to_key(text); }
  bool on_key(Text text, std::size_t, Code&);
  bool on_string_part(Text text, std::size_t, Code& error) { return add_to_text(text, error); }
  bool on_string(Text text, std::size_t, Code& error);
  bool on_number_part(Text, Code&) { return true; }
  bool on_int64(std::int64_t, Text, Code& error) { return value(Kind::other, error); }
  bool on_uint64(std::uint64_t, Text, Code& error) { return value(Kind::other, error); }
  bool on_double(double, Text, Code& error) { return value(Kind::other, error); }
  bool on_bool(bool, Code& error) { return value(Kind::other, error); }
  bool on_null(Code& error) { return value(Kind::other, error); }
  bool on_comment_part(Text, Code&) { return true; }
  bool on_comment(Text, Code&) { return true; }

  bool has_list() const { return has_list_; }
  std::string take_refusal() { return std::move(refusal_); }
  EventsBody take() { return std::move(body_); }
  std::size_t memory() const;

 private:
  enum class Kind { object, array, text, other };

  // Whether a member that begins here is one of an event.
  bool is_in_event() const { return is_in_event_ && depth_ == 3; }
  bool is_member_of_interest() const { return is_in_event() || depth_ == 1; }

  bool value(Kind kind, Code& error);
  bool begin(Kind kind, Code& error);
  bool end();
  bool add_to_key(Text text);
  bool add_to_text(Text text, Code& error);
  bool begin_event(Kind kind, Code& error);
  void end_event();
  void note_bad(std::string_view member, std::string_view detail);
  bool refuse(std::string message, Code& error);
  const Value& value_of(Member member, Member other) const {
    return values_[member].is_there ? values_[member] : values_[other];
  }

  std::size_t longest_record_;
  EventsBody body_;
  std::string refusal_;
  std::size_t depth_ = 0;     // of what is open: 1 in the object, 2 in its events, 3 in an event
  std::string key_;           // no more of it than tells it from the names
  bool is_key_whole_ = true;  // the next part begins another key
  bool is_in_list_ = false;
  bool is_in_event_ = false;
  bool is_in_text_ = false;
  bool has_list_ = false;  // the last member `events` was one
  Member member_ = none;
  std::array<Value, none> values_;
};

bool Collector::refuse(std::string message, Code& error) {
  refusal_ = std::move(message);
  error = json::error::exception;  // any: the reason stands in refusal_
  return false;
}

// Every value comes by here as it begins.
bool Collector::value(Kind kind, Code& error) {
  if (depth_ == 0 && kind != Kind::object) {
    has_list_ = false;
    return refuse("", error);
  }
  if (depth_ == 1 && key_ == "events") {
    body_ = {};
    has_list_ = is_in_list_ = kind == Kind::array;
  } else if (depth_ == 2 && is_in_list_) {
    return begin_event(kind, error);
  } else if (is_in_event() && member_ != none) {
    Value& said = values_[member_];
    said.is_there = true;
    said.is_text = kind == Kind::text;
    said.text.clear();
  }
  return true;
}

bool Collector::begin_event(Kind kind, Code& error) {
  if (body_.count == kMostPostedEvents) {
    return refuse(fmt::format("the body has too many values in events; send at most {} in one "
                              "request",
                              kMostPostedEvents),
                  error);
  }
  ++body_.count;
  is_in_event_ = kind == Kind::object;
  if (!is_in_event_) note_bad("", "an event must be an object");
  for (Value& said : values_) said.is_there = said.is_text = false;
  return true;
}

bool Collector::begin(Kind kind, Code& error) {
  if (!value(kind, error)) return false;
  ++depth_;
  return true;
}

bool Collector::end() {
  --depth_;
  if (depth_ == 2 && is_in_event_) end_event();
  if (depth_ == 1) is_in_list_ = false;
  return true;
}

bool Collector::add_to_key(Text text) {
  if (!is_member_of_interest()) return true;
  if (is_key_whole_) key_.clear();
  is_key_whole_ = false;
  key_.append(text.data(), std::min(text.size(), kLongestName + 1 - key_.size()));
  return true;
}

bool Collector::on_key(Text text, std::size_t, Code&) {
  add_to_key(text);
  is_key_whole_ = true;
  if (is_in_event()) {
    const auto found = std::find(kNames.begin(), kNames.end(), key_);
    member_ = static_cast<Member>(found - kNames.begin());
  }
  return true;
}

bool Collector::add_to_text(Text text, Code& error) {
  if (!is_in_text_ && !value(Kind::text, error)) return false;
  is_in_text_ = true;
  if (!is_in_event() || member_ == none) return true;
  Value& said = values_[member_];
  if (!said.is_text) return true;
  said.is_text = text.size() <= kLongest[member_] - said.text.size();
  if (said.is_text) said.text.append(text.data(), text.size());
  return true;
}

bool Collector::on_string(Text text, std::size_t, Code& error) {
  const bool goes_on = add_to_text(text, error);
  is_in_text_ = false;
  return goes_on;
}

void Collector::note_bad(std::string_view member, std::string_view detail) {
  if (body_.bad.size() == kMostBadEvents) return;
  body_.bad.push_back({body_.count - 1, member, detail});
}

void Collector::end_event() {
  is_in_event_ = false;
  const Value& device = value_of(device_id, other_device_id);
  if (!device.is_text || !is_valid_device_id(device.text)) {
    return note_bad("deviceID", "expected a text of 1 to 256 bytes without control characters");
  }
  const Value& type = value_of(event_type, other_event_type);
  if (!type.is_text || type.text.empty()) {
    return note_bad("eventType", "expected device_enter or device_exit");
  }
  const Value& time = values_[timestamp];
  const auto parsed = time.is_text ? parse_rfc3339(time.text) : std::nullopt;
  if (!parsed) {
    return note_bad("timestamp", "expected an RFC 3339 time such as 2025-07-08T12:00:00Z");
  }
  Submission& submission = body_.submission;
  const std::size_t start = submission.bytes.size();
  submission.bytes += R"({"device_id":)";
  append_quoted(submission.bytes, device.text);
  submission.bytes += R"(,"event_type":)";
  append_quoted(submission.bytes, type.text);
  submission.bytes += R"(,"timestamp":)";
  const fmt::format_int milliseconds(to_ms(*parsed));
  submission.bytes.append(milliseconds.data(), milliseconds.size());
  submission.bytes += '}';
  if (submission.bytes.size() - start > longest_record_) {
    submission.bytes.resize(start);
    // Device and time have a length that fits, so it is the type.
    return note_bad("eventType",
                    "the event is longer as a record than input.max_record; send a shorter type");
  }
  submission.ends.push_back(submission.bytes.size());
  submission.devices += device.text;
  submission.device_ends.push_back(submission.devices.size());
  body_.good.push_back(body_.count - 1);
}

std::size_t Collector::memory() const {
  const Submission& submission = body_.submission;
  std::size_t size = submission.bytes.capacity() + submission.devices.capacity() +
                     capacity_in_bytes(submission.ends) +
                     capacity_in_bytes(submission.device_ends) + capacity_in_bytes(body_.good) +
                     body_.bad.capacity() * sizeof(BadEvent);
  for (const Value& said : values_) size += said.text.capacity();
  return size;
}

json::parse_options options() {
  json::parse_options options;
  options.max_depth = kDeepest;
  return options;
}

}  // namespace

class EventsReader::Parser {
 public:
  explicit Parser(std::size_t longest_record) : parser_(std::in_place, options(), longest_record) {}

  void add(std::string_view piece) {
    if (error_) return;
    const auto read = parser_->write_some(true, piece.data(), piece.size(), error_);
    if (!error_ && read < piece.size()) error_ = json::error::extra_data;
    offset_ += read;
    if (error_) refuse();
  }
  Result<EventsBody> finish() {
    if (!error_) {
      parser_->write_some(false, nullptr, 0, error_);
      if (!error_ && !parser_->handler().has_list()) error_ = json::error::exception;
      if (error_) refuse();
    }
    if (error_) return fail(ErrorKind::invalid, "{}", refusal_);
    return parser_->handler().take();
  }
  std::size_t memory() const { return parser_ ? parser_->handler().memory() : 0; }

 private:
  void refuse() {
    refusal_ = parser_->handler().take_refusal();
    if (refusal_.empty() && error_ == json::error::exception) {
      refusal_ = R"(the body must be {"events":[{"deviceID","eventType","timestamp"}]})";
    }
    if (refusal_.empty()) {
      refusal_ = fmt::format("the body is not JSON at byte {}: {}", offset_, error_.message());
    }
    parser_.reset();
  }

  std::optional<json::basic_parser<Collector>> parser_;
  json::error_code error_;
  std::size_t offset_ = 0;  // in the body, of what was not read yet
  std::string refusal_;
};

EventsReader::EventsReader(std::size_t longest_record)
    : parser_(std::make_unique<Parser>(longest_record)) {}
EventsReader::~EventsReader() = default;

void EventsReader::add(std::string_view piece) {
  parser_->add(piece);
}

std::size_t EventsReader::memory() const {
  return parser_->memory();
}

Result<EventsBody> EventsReader::finish() {
  return parser_->finish();
}

}  // namespace dwell
