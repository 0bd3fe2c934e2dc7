#include "file/json_cutter.h"

#include "base/characters.h"

namespace dwell {
namespace {

constexpr std::size_t kDeepest = 1024;  // brackets that are told apart; deeper ones are counted
constexpr std::string_view kOpening = "{\"events\":[";

bool is_separator(char c) {
  return is_space(c) || c == ',' || c == '[' || c == ']';
}

}  // namespace

void JsonCutter::start(Offset offset) {
  in_ = In::between;
  at_ = offset;
  is_closed_ = false;
}

std::optional<Offset> JsonCutter::begun() const {
  if (in_ == In::between) return std::nullopt;
  return begin_;
}

JsonCutter::Found JsonCutter::found(Offset end, Offset resume) {
  const Found record{begin_, end, resume};
  in_ = In::between;
  at_ = resume;
  return record;
}

void JsonCutter::begin_object() {
  in_ = In::object;
  begin_ = at_;
  is_closed_ = false;
  brackets_.assign(1, '{');
  deeper_ = 0;
  before_ = '{';
  is_in_string_ = is_escaped_ = is_broken_ = false;
  last_brace_.reset();
  opening_.assign(1, '{');
}

std::optional<JsonCutter::Found> JsonCutter::next(std::string_view bytes) {
  const Offset first = at_;
  const auto end = first + static_cast<Offset>(bytes.size());
  while (at_ < end) {
    const char c = bytes[static_cast<std::size_t>(at_ - first)];
    switch (in_) {
      case In::between:
        if (c == '{') {
          begin_object();
        } else if (is_separator(c) || (is_wrapped_ && c == '}')) {
          is_closed_ |= c == (is_wrapped_ ? '}' : ']');
        } else {
          in_ = c == '"' ? In::string_of_rest : In::rest;
          begin_ = at_;
          is_closed_ = is_member_ = is_escaped_ = false;
          is_text_first_ = is_wrapped_ && c == '"';
        }
        break;
      case In::object:
        if (is_in_string_) {
          go_through_string(c);
          break;
        }
        if (is_broken_) {
          if (c == '{' && last_brace_) return found(*last_brace_, at_);
          if (c == '}') {
            last_brace_ = at_ + 1;
          } else if (!is_separator(c)) {
            last_brace_.reset();
          }
          break;
        }
        if (c == '{' && before_ != ':' && deeper_ == 0 && brackets_.back() == '{') {
          return found(at_, at_);
        }
        if (go_through_object(c)) return found(at_ + 1, at_ + 1);
        break;
      case In::string_of_rest:
        if (is_escaped_) {
          is_escaped_ = false;
        } else if (c == '\\') {
          is_escaped_ = true;
        } else if (c == '"' || c == '\n') {
          in_ = In::rest;
        }
        if (c != '\n') break;
        [[fallthrough]];
      case In::rest:
        if (c == '"') {
          in_ = In::string_of_rest;
        } else if (c == ':' && is_text_first_) {
          is_member_ = true;
        } else if (c == ',' || c == '\n' || c == '{' || c == '}' || c == '[' || c == ']') {
          if (is_member_) {
            in_ = In::between;
            continue;
          }
          return found(at_, at_);
        }
        break;
    }
    ++at_;
  }
  return std::nullopt;
}

// One character outside of strings; whether it closes the object.
bool JsonCutter::go_through_object(char c) {
  if (is_space(c)) return false;
  if (is_wrapped_ && opening_.size() < kOpening.size()) {
    opening_ += c;
    if (opening_ == kOpening) {
      in_ = In::between;
      return false;
    }
  }
  if (!fits(c)) {
    is_broken_ = true;
    last_brace_.reset();
    if (c == '}') last_brace_ = at_ + 1;
    return false;
  }
  before_ = c;
  if (c == '"') is_in_string_ = true;
  if (c == '{' || c == '[') {
    if (brackets_.size() < kDeepest) {
      brackets_ += c;
    } else {
      ++deeper_;
    }
  }
  if (c == '}' || c == ']') {
    if (deeper_ > 0) {
      --deeper_;
    } else {
      brackets_.pop_back();
    }
  }
  return brackets_.empty();
}

void JsonCutter::go_through_string(char c) {
  if (is_wrapped_ && opening_.size() < kOpening.size()) opening_ += c;
  if (is_escaped_) {
    is_escaped_ = false;
  } else if (c == '\\') {
    is_escaped_ = true;
  } else if (c == '"' || c == '\n') {  // a string does not go over a line
    is_in_string_ = false;
  }
}

// Whether `c` may stand behind before_.
bool JsonCutter::fits(char c) const {
  const bool is_in_array = deeper_ > 0 || brackets_.back() == '[';
  const bool begins_value = before_ == ':' || before_ == '[' || (is_in_array && before_ == ',');
  switch (c) {
    case '{':
    case '[':
      return begins_value;
    case '"':
      return begins_value || before_ == '{' || before_ == ',';
    case '}':
      return deeper_ > 0 || brackets_.back() == '{';
    case ']':
      return is_in_array;
    case ':':
      return before_ == '"';
    case ',':
      return before_ != '{' && before_ != '[' && before_ != ',' && before_ != ':';
    default:  // of a number, true, false or null
      return before_ != '"' && before_ != '{' && before_ != '}' && before_ != ']' &&
             (is_in_array || before_ != ',');
  }
}

std::optional<JsonCutter::Found> JsonCutter::finish() {
  if (in_ == In::between) return std::nullopt;
  if (in_ != In::object && is_member_) {
    in_ = In::between;
    return std::nullopt;
  }
  const Offset end = in_ == In::object && is_broken_ && last_brace_ ? *last_brace_ : at_;
  return found(end, at_);
}

bool is_one_object(std::string_view text) {
  JsonCutter cutter(false);
  const auto object = cutter.next(text);
  if (!object || object->begin == object->end) return false;
  const auto around = [&](std::size_t from, std::size_t to) {
    return text.substr(from, to - from).find_first_not_of(" \t\r\n") == text.npos;
  };
  const auto begin = static_cast<std::size_t>(object->begin);
  const auto end = static_cast<std::size_t>(object->end);
  return text[begin] == '{' && text[end - 1] == '}' && around(0, begin) && around(end, text.size());
}

}  // namespace dwell
