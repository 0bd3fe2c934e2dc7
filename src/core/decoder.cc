#include "core/decoder.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstring>
#include <fmt/format.h>

#include "base/characters.h"
#include "base/mac_address.h"
#include "core/event_timestamp.h"
#include "core/plain_scanner.h"

namespace dwell {

namespace ondemand = simdjson::ondemand;

namespace {

// Another control character behind a number is no JSON.
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

// A number of an id: what any language writes for a whole number that is not negative.
bool is_natural_number(std::string_view token) {
  return !token.empty() && (token.front() != '0' || token.size() == 1) &&
         std::all_of(token.begin(), token.end(), is_digit);
}

// Rule 1: milliseconds in integer syntax, or RFC 3339 to the letter.
bool first_timestamp(std::string_view token, Timestamp& timestamp) {
  std::int64_t ms;
  const auto end = token.data() + token.size();
  const auto [rest, error] = std::from_chars(token.data(), end, ms);
  if (error != std::errc{} || rest != end) return false;
  timestamp = from_ms(ms);
  return in_range(timestamp);
}

// The members of rule 1.
Mapping first_mapping() {
  Mapping mapping;
  mapping.device_id = {"/device_id"};
  mapping.event_type = {"/event_type"};
  mapping.timestamp = {"/timestamp"};
  return mapping;
}

// The record without what a serializer of the Confluent schema registry puts before it: a zero byte
// and the number of a schema
// (https://docs.confluent.io/platform/current/schema-registry/fundamentals/
// serdes-develop/index.html#wire-format).
std::string_view without_frame(std::string_view bytes) {
  constexpr std::size_t kFrame = 5;
  return bytes.size() > kFrame && bytes.front() == '\0' ? bytes.substr(kFrame) : bytes;
}

bool is_among(const std::vector<NameText>& names, std::string_view text) {
  return std::any_of(names.begin(), names.end(), [&](const auto& name) { return name.is(text); });
}

std::vector<NameText> texts_of(const std::vector<std::string>& names) {
  std::vector<NameText> texts;
  for (const std::string& name : names) texts.emplace_back(name);
  return texts;
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

Decoder::Form::Form(const Mapping& which, const TimeFormat& how, bool has_envelope)
    : mapping(which),
      time(how),
      tree(which, has_envelope),
      enter(texts_of(which.enter)),
      exit(texts_of(which.exit)) {
  const Mapping by_default;
  is_type_text = mapping.enter == by_default.enter && mapping.exit == by_default.exit;
  if (is_among(enter, kAnyOtherType)) any_other = EventType::enter;
  if (is_among(exit, kAnyOtherType)) any_other = EventType::exit;
}

Decoder::Decoder(const Rule& rule)
    : is_rule_1_(rule.version == 1),
      clock_source_(rule.clock_source),
      mapped_(is_rule_1_ ? first_mapping() : rule.mapping, rule.time, !is_rule_1_),
      documented_(first_mapping(), {TimeUnit::ms, rule.time.earliest}, false) {}

// Read as under rule 1, which takes nothing but what it documents.
Decoder::Decoder(const Form& form)
    : is_rule_1_(true), clock_source_(ClockSource::event), mapped_(form), documented_(form) {}

Decoder::Form Decoder::posted_form() {
  Mapping mapping;
  mapping.device_id = {"/deviceID"};
  mapping.event_type = {"/eventType"};
  mapping.timestamp = {"/timestamp"};
  Form form(mapping, {}, false);
  form.any_other = EventType::enter;
  form.takes_numbers = false;
  return form;
}

// A key that is no wanted one as it stands may be one of them written with escapes. False: it is no
// valid string.
bool Decoder::find_name(ondemand::field& field, unsigned level, const MemberTree::Name*& found) {
  const std::string_view raw = raw_key(field.key().raw());
  found = nullptr;
  if (!has_escape(raw)) {
    found = form_->tree.find(level, raw);
    return true;
  }
  if (!has_valid_escapes(raw)) return false;
  std::string_view key;
  // A key with a lone surrogate is valid JSON and none of ours.
  if (field.unescaped_key().get(key) == simdjson::SUCCESS) found = form_->tree.find(level, key);
  return true;
}

// `raw` is a token of the scratch copy up to the next one. simdjson steps over a string and a colon
// as over a whole member wherever they stand, as in {"x":"a":1}, so the next token is judged here.
bool Decoder::is_valid_scalar(std::string_view raw) {
  if (*(raw.data() + raw.size()) == ':') return false;
  const std::string_view token = trim_right(raw);
  if (is_string(token)) return !has_escape(token) || has_valid_escapes(inside(token));
  return token == "true" || token == "false" || token == "null" || is_json_number(token);
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
bool Decoder::read_plain_members(std::string_view bytes, FoundMembers& members) {
  PlainScanner in(bytes);
  if (!in.take('{')) return false;
  // Records of one feed name the same members in the same order.
  auto& usual = (form_ == &mapped_ ? usual_mapped_ : usual_documented_).names;
  auto guess = usual.begin();
  do {
    std::string_view key, value;
    if (!in.take_string(key) || !in.take(':')) return false;
    if (!in.take_string(value) && !in.take_natural_number(value)) return false;
    const auto name = inside(key);
    const auto* wanted = *guess;
    if (!wanted || !wanted->text.is(name)) *guess = wanted = form_->tree.find(0, name);
    if (wanted) members.set(wanted->slots, value);
    if (guess + 1 != usual.end()) ++guess;
  } while (in.take(','));
  return in.take('}') && in.is_at_end();
}

bool Decoder::read_any_members(std::string_view bytes, FoundMembers& members) {
  if (scratch_.size() < bytes.size() + simdjson::SIMDJSON_PADDING) {
    scratch_.resize(2 * (bytes.size() + simdjson::SIMDJSON_PADDING));
  }
  std::copy(bytes.begin(), bytes.end(), scratch_.begin());
  bytes_ = bytes;
  members_ = &members;

  ondemand::document document;
  ondemand::object object;
  if (parser_.iterate(scratch_.data(), bytes.size(), scratch_.size()).get(document) !=
          simdjson::SUCCESS ||
      document.get_object().get(object) != simdjson::SUCCESS || !read_object(object, 0, 1)) {
    return false;
  }
  // Anything but white space after the object is left to read.
  return document.current_location().error() == simdjson::OUT_OF_BOUNDS;
}

bool Decoder::read_object(ondemand::object object, unsigned level, int depth) {
  for (auto member : object) {
    ondemand::field field;
    const MemberTree::Name* wanted;
    if (std::move(member).get(field) != simdjson::SUCCESS || !find_name(field, level, wanted) ||
        !read_value(field.value(), wanted, depth + 1)) {
      return false;
    }
  }
  return true;
}

// The elements of an array are members whose names are 0, 1 and so on.
bool Decoder::read_array(ondemand::array array, unsigned level, int depth) {
  std::size_t index = 0;
  for (auto element : array) {
    char digits[20];
    const auto [end, error] = std::to_chars(digits, digits + sizeof(digits), index++);
    const auto* wanted = form_->tree.find(level, {digits, static_cast<std::size_t>(end - digits)});
    ondemand::value value;
    if (std::move(element).get(value) != simdjson::SUCCESS ||
        !read_value(value, wanted, depth + 1)) {
      return false;
    }
  }
  return true;
}

// `wanted` is null for a value that nobody reads: it is checked, so that a record is valid JSON as
// a whole or malformed.
bool Decoder::read_value(ondemand::value value, const MemberTree::Name* wanted, int depth) {
  const std::string_view raw = value.raw_json_token();
  const std::string_view token = trim_right(raw);
  const bool is_nested = token.empty() || token.front() == '{' || token.front() == '[';
  if (!is_nested) {
    if (!is_valid_scalar(raw)) return false;
  } else if (!wanted || wanted->level == MemberTree::kNoLevel) {
    if (!is_valid(value, depth)) return false;
  } else if (depth > kDeepestNesting) {
    return false;
  }
  if (!wanted) return true;
  members_->found &= ~wanted->below;
  // A token of the scratch copy, as the same bytes of the record, which outlive this call.
  members_->set(
      wanted->slots,
      bytes_.substr(static_cast<std::size_t>(token.data() - scratch_.data()), token.size()));
  if (!is_nested || wanted->level == MemberTree::kNoLevel) return true;
  ondemand::object object;
  if (value.get_object().get(object) == simdjson::SUCCESS) {
    return read_object(object, wanted->level, depth);
  }
  ondemand::array array;
  return value.get_array().get(array) == simdjson::SUCCESS &&
         read_array(array, wanted->level, depth);
}

// The content of a string token. False when it is no string or holds a lone surrogate.
inline bool Decoder::text_of(std::string_view token, std::string_view& text) {
  if (!is_string(token)) return false;
  text = inside(token);
  return is_plain_ || !has_escape(text) || unescape(token, text);
}

bool Decoder::unescape(std::string_view token, std::string_view& text) {
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

Outcome Decoder::refuse(Outcome outcome, std::string_view member, std::string_view found,
                        std::string_view reason) {
  if (explains_) fault_ = {member, found, std::string(reason)};
  return outcome;
}

Outcome Decoder::type_of(std::string_view token, Decoded& decoded) {
  std::string_view type = token;
  if (is_string(token)) {
    text_of(token, type);
  } else if (token.empty() || form_->is_type_text || token == "null" || token.front() == '{' ||
             token.front() == '[') {
    const auto outcome = is_rule_1_ ? Outcome::malformed : Outcome::invalid_event_type;
    return refuse(outcome, "event_type", token, "is no text");
  }
  if (is_among(form_->enter, type)) {
    decoded.event.type = EventType::enter;
  } else if (is_among(form_->exit, type)) {
    decoded.event.type = EventType::exit;
  } else if (form_->any_other) {
    decoded.event.type = *form_->any_other;
    decoded.ignored_type = type;
  } else {
    decoded.ignored_type = type;
    return Outcome::ignored;
  }
  return Outcome::accepted;
}

// An id, or a part of one: a text, or a whole number as it is written.
bool Decoder::id_text_of(std::string_view token, std::string_view& text) {
  if (is_string(token)) {
    if (!text_of(token, text)) return false;
  } else {
    text = token;
    if (is_rule_1_ || !is_natural_number(token)) return false;
  }
  if (form_->mapping.id_spelling == IdSpelling::mac) {
    if (auto address = usual_mac_address(text)) text = kept_.emplace_back(std::move(*address));
  }
  return true;
}

void Decoder::lower(std::string_view& id) {
  const auto is_upper = [](char c) { return c >= 'A' && c <= 'Z'; };
  if (std::none_of(id.begin(), id.end(), is_upper)) return;
  std::string& lowered = kept_.emplace_back(id);
  for (char& c : lowered) {
    if (is_upper(c)) c = static_cast<char>(c - 'A' + 'a');
  }
  id = lowered;
}

Outcome Decoder::device_id_of(const FoundMembers& members, unsigned base, std::string_view& id) {
  const auto* way = way_found(form_->tree.device_id(), members.found >> base);
  if (!way) {
    return refuse(Outcome::invalid_device_id, "device_id", {}, {});
  }
  std::string_view token;
  if (way->only_slot != MemberTree::kNoSlot) {
    token = members.token(way->only_slot + base);
    if (!id_text_of(token, id)) {
      return refuse(Outcome::invalid_device_id, "device_id", token,
                    "is neither a text nor a whole number without sign");
    }
  } else {
    std::string joined;
    for (const auto& part : way->parts) {
      std::string_view text = part.text;
      if (part.slot != MemberTree::kNoSlot) {
        token = members.token(part.slot + base);
        if (!id_text_of(token, text)) {
          return refuse(Outcome::invalid_device_id, "device_id", token,
                        "is neither a text nor a whole number without sign");
        }
      }
      joined += text;
    }
    id = kept_.emplace_back(std::move(joined));
  }
  // Of a plain record, only the length and DEL are left to look at.
  const bool is_ascii = is_plain_ && way->only_slot != MemberTree::kNoSlot;
  const bool is_valid = is_ascii ? !id.empty() && id.size() <= kLongestDeviceId &&
                                       std::memchr(id.data(), 0x7f, id.size()) == nullptr
                                 : is_valid_device_id(id);
  if (!is_valid) {
    return refuse(Outcome::invalid_device_id, "device_id", token,
                  "is not 1 to 256 bytes of plain UTF-8 text");
  }
  if (form_->mapping.id_spelling == IdSpelling::lower) lower(id);
  return Outcome::accepted;
}

Outcome Decoder::timestamp_of(std::string_view token, Timestamp& timestamp) {
  constexpr std::string_view kMember = "timestamp";
  if (token.empty()) return refuse(Outcome::invalid_timestamp, kMember, {}, {});
  std::string_view text;
  const bool is_text = is_string(token);
  const bool is_number = !is_text && (token.front() == '-' || is_digit(token.front()));
  if ((is_text && !text_of(token, text)) || (!is_text && !is_number)) {
    return refuse(Outcome::invalid_timestamp, kMember, token, "is neither a text nor a number");
  }
  if (is_rule_1_) {
    if (is_number && form_->takes_numbers && first_timestamp(token, timestamp))
      return Outcome::accepted;
    const auto parsed = is_text ? parse_rfc3339(text) : std::nullopt;
    if (!parsed) {
      return refuse(Outcome::invalid_timestamp, kMember, token,
                    "is neither milliseconds in integer syntax nor RFC 3339");
    }
    timestamp = *parsed;
    return Outcome::accepted;
  }
  const TimeReading reading =
      is_text ? read_time_text(text, form_->time) : read_time_number(token, form_->time);
  if (reading.fault == TimeFault::none) {
    timestamp = reading.time;
    return Outcome::accepted;
  }
  const auto outcome =
      reading.fault == TimeFault::too_early ? Outcome::past_timestamp : Outcome::invalid_timestamp;
  return explains_ ? refuse(outcome, kMember, token, describe(reading.fault, form_->time))
                   : outcome;
}

Decoded Decoder::decode(const Record& record) {
  Decoded decoded{};
  decoded.outcome = read(record, decoded);
  return decoded;
}

// False: the record is no JSON object.
bool Decoder::find_members(const Record& record, FoundMembers& members) {
  form_ = record.is_documented_form ? &documented_ : &mapped_;
  const std::string_view bytes = is_rule_1_ ? record.bytes : without_frame(record.bytes);
  is_plain_ = read_plain_members(bytes, members);
  if (!is_plain_) {
    members.found = 0;
    found_ = 0;
    if (!read_any_members(bytes, members)) return false;
  }
  found_ = members.found;
  return true;
}

const MemberTree::Way* Decoder::way_found(const std::vector<MemberTree::Way>& ways,
                                          std::uint64_t found) {
  for (const auto& way : ways) {
    if ((found & way.needs) == way.needs) return &way;
  }
  return nullptr;
}

Outcome Decoder::read(const Record& record, Decoded& decoded) {
  if (record.truncated_from != 0) return Outcome::too_large;
  FoundMembers members;
  if (!find_members(record, members)) return Outcome::malformed;
  const unsigned base = form_->tree.base(members.found);
  // The token of the first way that can be gone; empty when there is none.
  const auto token_of = [&](const std::vector<MemberTree::Way>& ways) {
    const auto* way = way_found(ways, members.found >> base);
    return way ? members.token(way->only_slot + base) : std::string_view();
  };
  if (const auto outcome = type_of(token_of(form_->tree.event_type()), decoded);
      outcome != Outcome::accepted) {
    return outcome;
  }
  if (const auto outcome = device_id_of(members, base, decoded.event.device);
      outcome != Outcome::accepted) {
    return outcome;
  }
  decoded.event.timestamp = record.now;
  if (clock_source_ == ClockSource::received) return Outcome::accepted;
  return timestamp_of(token_of(form_->tree.timestamp()), decoded.event.timestamp);
}

bool Decoder::has_all_members() const {
  const auto found = found_ >> form_->tree.base(found_);
  return way_found(form_->tree.device_id(), found) && way_found(form_->tree.event_type(), found) &&
         way_found(form_->tree.timestamp(), found);
}

}  // namespace dwell
