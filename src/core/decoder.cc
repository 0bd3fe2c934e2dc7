#include "core/decoder.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstring>

#include "core/plain_scanner.h"

namespace dwell {

namespace ondemand = simdjson::ondemand;

// The raw tokens of the members looked for; empty: the member is missing.
struct Decoder::Members {
  std::string_view device_id;
  std::string_view event_type;
  std::string_view timestamp;

  // The member whose name `is_name(name)` says it is; null for any other.
  template <typename IsName>
  std::string_view* find(IsName is_name) {
    return is_name(std::string_view("device_id"))    ? &device_id
           : is_name(std::string_view("event_type")) ? &event_type
           : is_name(std::string_view("timestamp"))  ? &timestamp
                                                     : nullptr;
  }
};

namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// White space as RFC 8259 has it: another control character behind a number is no JSON.
bool is_space(char c) {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

std::string_view trim_right(std::string_view token) {
  while (!token.empty() && is_space(token.back())) token.remove_suffix(1);
  return token;
}

bool is_string(std::string_view token) {
  return token.size() >= 2 && token.front() == '"';
}

// The inside of a string token; the tokenizer has paired the quotes and refused raw controls.
std::string_view inside(std::string_view token) {
  return token.substr(1, token.size() - 2);
}

bool has_escape(std::string_view text) {
  return std::memchr(text.data(), '\\', text.size()) != nullptr;
}

// RFC 8259 section 7: what may follow a backslash. Surrogates may be alone here.
bool has_valid_escapes(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') continue;
    if (++i == text.size()) return false;
    if (text[i] != 'u') {
      if (std::strchr("\"\\/bfnrt", text[i]) == nullptr) return false;
      continue;
    }
    for (int digit = 0; digit < 4; ++digit) {
      if (++i == text.size() || !std::isxdigit(static_cast<unsigned char>(text[i]))) return false;
    }
  }
  return true;
}

// The raw key that starts at `start`: up to its closing quote, which the tokenizer has found.
std::string_view raw_key(const char* start) {
  const char* end = start;
  while (*end != '"') end += *end == '\\' ? 2 : 1;
  return {start, static_cast<std::size_t>(end - start)};
}

// RFC 8259 section 6.
bool is_number(std::string_view token) {
  const char* c = token.data();
  const char* const end = c + token.size();
  // Moves over one or more digits.
  const auto digits = [&] {
    const char* const start = c;
    while (c != end && is_digit(*c)) ++c;
    return c != start;
  };
  if (c != end && *c == '-') ++c;
  if (c != end && *c == '0') {
    ++c;
  } else if (!digits()) {
    return false;
  }
  if (c != end && *c == '.') {
    ++c;
    if (!digits()) return false;
  }
  if (c != end && (*c == 'e' || *c == 'E')) {
    ++c;
    if (c != end && (*c == '+' || *c == '-')) ++c;
    if (!digits()) return false;
  }
  return c == end;
}

// A JSON number in integer syntax, within range. `token` is a valid value.
bool integer_timestamp(std::string_view token, Timestamp& timestamp) {
  std::int64_t ms;
  const auto end = token.data() + token.size();
  const auto [rest, error] = std::from_chars(token.data(), end, ms);
  if (error != std::errc{} || rest != end) return false;
  timestamp = from_ms(ms);
  return in_range(timestamp);
}

}  // namespace

bool is_plain_text(std::string_view text) {
  unsigned char high_bits = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    high_bits |= byte;
    if (byte < 0x20 || byte == 0x7f) return false;
    // U+0080 to U+009F are C2 80 to C2 9F.
    if (byte == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0) {
      return false;
    }
  }
  return high_bits < 0x80 || simdjson::validate_utf8(text.data(), text.size());
}

bool is_valid_device_id(std::string_view id) {
  return !id.empty() && id.size() <= kLongestDeviceId && is_plain_text(id);
}

// A key that is none of ours as it stands may be one of them written with escapes.
bool Decoder::find_escaped(ondemand::field field, Members& members, std::string_view*& found) {
  const std::string_view raw = raw_key(field.key().raw());
  if (!has_escape(raw)) return true;
  if (!has_valid_escapes(raw)) return false;
  std::string_view key;
  // A key with a lone surrogate is valid JSON and none of ours.
  if (field.unescaped_key().get(key) != simdjson::SUCCESS) return true;
  found = members.find([&](std::string_view name) { return key == name; });
  return true;
}

// `raw` is a token of the scratch copy up to the next one. simdjson steps over a string and a colon
// as over a whole member wherever they stand, as in {"x":"a":1}, so the next token is judged here.
bool Decoder::is_valid_scalar(std::string_view raw) {
  if (*(raw.data() + raw.size()) == ':') return false;
  const std::string_view token = trim_right(raw);
  if (is_string(token)) return !has_escape(token) || has_valid_escapes(inside(token));
  return token == "true" || token == "false" || token == "null" || is_number(token);
}

// Checks a value nobody reads, so that a record is valid JSON as a whole or malformed.
bool Decoder::is_valid(ondemand::value value, int depth) {
  ondemand::json_type type;
  if (value.type().get(type) != simdjson::SUCCESS) return false;
  const bool is_nested = type == ondemand::json_type::array || type == ondemand::json_type::object;
  if (is_nested && depth > kDeepestNesting) return false;
  if (type == ondemand::json_type::array) {
    ondemand::array array;
    if (value.get_array().get(array) != simdjson::SUCCESS) return false;
    for (auto element : array) {
      ondemand::value inner;
      if (std::move(element).get(inner) != simdjson::SUCCESS || !is_valid(inner, depth + 1))
        return false;
    }
    return true;
  }
  if (type == ondemand::json_type::object) {
    ondemand::object object;
    if (value.get_object().get(object) != simdjson::SUCCESS) return false;
    for (auto member : object) {
      ondemand::field field;
      if (std::move(member).get(field) != simdjson::SUCCESS ||
          !has_valid_escapes(raw_key(field.key().raw())) || !is_valid(field.value(), depth + 1)) {
        return false;
      }
    }
    return true;
  }
  return is_valid_scalar(value.raw_json_token());
}

// Reads the plainest of records, as nearly all are, in half the time. False for everything else,
// valid or not: that is for read_any_members() to judge.
bool Decoder::read_plain_members(std::string_view bytes, Members& members) {
  PlainScanner in(bytes);
  if (!in.take('{')) return false;
  do {
    std::string_view key, value;
    if (!in.take_string(key) || !in.take(':')) return false;
    if (!in.take_string(value) && !in.take_natural_number(value)) return false;
    std::string_view* wanted =
        members.find([&](std::string_view name) { return inside(key) == name; });
    if (wanted) *wanted = value;
  } while (in.take(','));
  return in.take('}') && in.is_at_end();
}

bool Decoder::read_any_members(std::string_view bytes, Members& members) {
  if (scratch_.size() < bytes.size() + simdjson::SIMDJSON_PADDING) {
    scratch_.resize(2 * (bytes.size() + simdjson::SIMDJSON_PADDING));
  }
  std::copy(bytes.begin(), bytes.end(), scratch_.begin());

  ondemand::document document;
  ondemand::object object;
  if (parser_.iterate(scratch_.data(), bytes.size(), scratch_.size()).get(document) !=
          simdjson::SUCCESS ||
      document.get_object().get(object) != simdjson::SUCCESS) {
    return false;
  }
  for (auto member : object) {
    ondemand::field field;
    if (std::move(member).get(field) != simdjson::SUCCESS) return false;
    // Compared where it stands: the padding allows to read the length of any name.
    const char* key = field.key().raw();
    std::string_view* wanted = members.find([&](std::string_view name) {
      return std::memcmp(key, name.data(), name.size()) == 0 && key[name.size()] == '"';
    });
    if (!wanted && !find_escaped(field, members, wanted)) return false;
    const std::string_view raw = field.value().raw_json_token();
    const std::string_view token = trim_right(raw);
    const bool is_nested = token.empty() || token.front() == '{' || token.front() == '[';
    const bool is_sound = is_nested ? is_valid(field.value(), 2) : is_valid_scalar(raw);
    if (!is_sound) return false;
    // A token of the scratch copy, as the same bytes of the record, which outlive this call.
    if (wanted) *wanted = bytes.substr(token.data() - scratch_.data(), token.size());
  }
  // Anything but white space after the object is left to read.
  return document.current_location().error() == simdjson::OUT_OF_BOUNDS;
}

// The content of a string token. False when it is no string or holds a lone surrogate.
bool Decoder::text_of(std::string_view token, std::string_view& text) {
  if (!is_string(token)) return false;
  text = inside(token);
  if (!has_escape(text)) return true;
  simdjson::padded_string padded(token);
  ondemand::document document;
  std::string_view unescaped;
  if (parser_.iterate(padded).get(document) != simdjson::SUCCESS ||
      document.get_string().get(unescaped) != simdjson::SUCCESS ||
      !simdjson::validate_utf8(unescaped.data(), unescaped.size())) {
    return false;
  }
  text = kept_.emplace_back(unescaped);
  return true;
}

bool Decoder::device_id_of(std::string_view token, std::string_view& id) {
  return text_of(token, id) && is_valid_device_id(id);
}

bool Decoder::timestamp_of(std::string_view token, Timestamp& timestamp) {
  if (token.empty()) return false;
  if (token.front() != '"') return integer_timestamp(token, timestamp);
  std::string_view text;
  if (!text_of(token, text)) return false;
  const auto parsed = parse_rfc3339(text);
  if (parsed) timestamp = *parsed;
  return parsed.has_value();
}

Decoded Decoder::decode(const Record& record) {
  Decoded decoded{};
  decoded.outcome = read(record, decoded);
  return decoded;
}

Outcome Decoder::read(const Record& record, Decoded& decoded) {
  if (record.truncated_from != 0) return Outcome::too_large;
  Members members;
  if (!read_plain_members(record.bytes, members)) {
    members = {};
    if (!read_any_members(record.bytes, members)) return Outcome::malformed;
  }
  if (!is_string(members.event_type)) return Outcome::malformed;

  Event& event = decoded.event;
  std::string_view type;
  text_of(members.event_type, type);
  if (type == wire_name(EventType::enter)) {
    event.type = EventType::enter;
  } else if (type == wire_name(EventType::exit)) {
    event.type = EventType::exit;
  } else {
    decoded.ignored_type = type;
    return Outcome::ignored;
  }
  if (!device_id_of(members.device_id, event.device)) return Outcome::invalid_device_id;
  event.timestamp = record.now;
  if (clock_source_ == ClockSource::event && !timestamp_of(members.timestamp, event.timestamp)) {
    return Outcome::invalid_timestamp;
  }
  return Outcome::accepted;
}

}  // namespace dwell
