#include "core/cleaned_value.h"

#include <charconv>
#include <deque>
#include <simdjson.h>
#include <utility>

#include "core/decoder.h"

namespace dwell {
namespace {

constexpr std::string_view kBeforeDevice = R"(,"device_id":")";
constexpr std::string_view kBeforeType = R"(","event_type":")";
constexpr std::string_view kTail = R"("}})";

constexpr std::string_view kHead =
    R"({"schema":{"type":"struct","name":"DeviceUpdate","fields":[)"
    R"({"field":"timestamp","type":"int64"},{"field":"device_id","type":"string"},)"
    R"({"field":"event_type","type":"string"}],"optional":false},"payload":{"timestamp":)";

// What a JSON string begins with for the beginning of `text`, and how many bytes that stands for. A
// device id has no control characters.
std::pair<std::string_view, std::size_t> escape_of(std::string_view text) {
  switch (text.front()) {
    case '"':
      return {R"(\")", 1};
    case '\\':
      return {R"(\\)", 1};
    case '<':
      return {R"(\u003c)", 1};
    case '>':
      return {R"(\u003e)", 1};
    case '&':
      return {R"(\u0026)", 1};
    default:
      if (text.starts_with("\u2028")) return {R"(\u2028)", 3};
      if (text.starts_with("\u2029")) return {R"(\u2029)", 3};
      return {text.substr(0, 1), 1};
  }
}

void append_escaped(std::string_view text, std::string& out) {
  for (;;) {
    const auto special = text.find_first_of("\"\\<>&\xe2");
    out.append(text.substr(0, special));
    if (special == text.npos) return;
    text.remove_prefix(special);
    const auto [escape, length] = escape_of(text);
    out += escape;
    text.remove_prefix(length);
  }
}

}  // namespace

void append_cleaned_value(std::string_view device, const Change& change, std::string& out) {
  out += kHead;
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof digits, to_ms(change.timestamp)).ptr;
  out.append(digits, end);
  out += kBeforeDevice;
  append_escaped(device, out);
  out += kBeforeType;
  out += wire_name(change.type);
  out += kTail;
}

class CleanedDecoder::Impl {
 public:
  Result<RowChange> decode(const CleanedBytes& record) {
    RowChange change{};
    if (!read_own(record.value, change)) {
      if (auto read = read_any(record.value, change); !read) return pass(read);
    }
    if (!is_valid_device_id(change.device)) {
      return fail(ErrorKind::invalid, "device_id is not 1 to 256 bytes of UTF-8 without controls");
    }
    if (change.timestamp < kEarliest || change.timestamp > kLatest) {
      return fail(ErrorKind::invalid, "timestamp is not in the years 1970 to 9999");
    }
    if (record.operation && *record.operation != "retract") {
      return fail(ErrorKind::invalid, "header op is not retract");
    }
    if (record.operation) change.operation = Operation::retract;
    if (record.rank && !read_number(*record.rank, change.rank)) {
      return fail(ErrorKind::invalid, "header rank is not a number");
    }
    if (record.seq && !read_number(*record.seq, change.seq.emplace())) {
      return fail(ErrorKind::invalid, "header seq is not a number");
    }
    return change;
  }

  void reset() { devices_.clear(); }

 private:
  // Numbers up to the largest that a bigint holds.
  static bool read_number(std::string_view text, std::uint64_t& number) {
    const auto end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    return error == std::errc() && stop == end && number <= INT64_MAX;
  }

  static std::optional<EventType> type_of(std::string_view name) {
    if (name == wire_name(EventType::enter)) return EventType::enter;
    if (name == wire_name(EventType::exit)) return EventType::exit;
    return {};
  }

  // Byte by byte as append_cleaned_value() writes it, of a device id without escapes.
  static bool read_own(std::string_view value, RowChange& change) {
    if (!value.starts_with(kHead) || !value.ends_with(kTail)) return false;
    value.remove_prefix(kHead.size());
    value.remove_suffix(kTail.size());
    std::int64_t ms = 0;
    const auto [stop, error] = std::from_chars(value.data(), value.data() + value.size(), ms);
    if (error != std::errc() || ms < to_ms(kEarliest) || ms > to_ms(kLatest)) return false;
    value.remove_prefix(static_cast<std::size_t>(stop - value.data()));
    if (!value.starts_with(kBeforeDevice)) return false;
    value.remove_prefix(kBeforeDevice.size());
    const auto end = value.find_first_of("\"\\");
    if (end == value.npos || !value.substr(end).starts_with(kBeforeType)) return false;
    const auto type = type_of(value.substr(end + kBeforeType.size()));
    if (!type) return false;
    change.device = value.substr(0, end);
    change.timestamp = from_ms(ms);
    change.type = *type;
    return true;
  }

  Result<void> read_any(std::string_view value, RowChange& change) {
    padded_.assign(value);
    padded_.reserve(value.size() + simdjson::SIMDJSON_PADDING);
    simdjson::dom::element document;
    if (parser_.parse(padded_.data(), padded_.size(), false).get(document) != simdjson::SUCCESS) {
      return fail(ErrorKind::invalid, "the value is not JSON");
    }
    simdjson::dom::object payload;
    if (document["payload"].get(payload) != simdjson::SUCCESS) {
      return fail(ErrorKind::invalid, "there is no payload");
    }
    std::string_view device;
    std::string_view type_name;
    std::int64_t ms = 0;
    if (payload["device_id"].get(device) != simdjson::SUCCESS) {
      return fail(ErrorKind::invalid, "device_id is not a text");
    }
    if (payload["timestamp"].get(ms) != simdjson::SUCCESS || ms < to_ms(kEarliest) ||
        ms > to_ms(kLatest)) {
      return fail(ErrorKind::invalid, "timestamp is not whole milliseconds from 1970 to 9999");
    }
    if (payload["event_type"].get(type_name) != simdjson::SUCCESS || !type_of(type_name)) {
      return fail(ErrorKind::invalid, "event_type is neither device_enter nor device_exit");
    }
    change.device = devices_.emplace_back(device);
    change.timestamp = from_ms(ms);
    change.type = *type_of(type_name);
    return {};
  }

  simdjson::dom::parser parser_;
  std::string padded_;
  std::deque<std::string> devices_;  // those with escapes
};

CleanedDecoder::CleanedDecoder() : impl_(std::make_unique<Impl>()) {}
CleanedDecoder::~CleanedDecoder() = default;

Result<RowChange> CleanedDecoder::decode(const CleanedBytes& record) {
  return impl_->decode(record);
}

void CleanedDecoder::reset() {
  impl_->reset();
}

}  // namespace dwell
