#include "http/api/body_splitter.h"

#include <algorithm>
#include <array>
#include <boost/json/basic_parser_impl.hpp>
#include <fmt/format.h>
#include <utility>

#include "base/characters.h"

namespace dwell {
namespace {

namespace json = boost::json;

constexpr std::size_t kDeepest = 64;
constexpr std::string_view kExpected =
    "the body must be an event, an array of events, or an object with them in `events`";

// What matters outside of texts.
constexpr std::array<bool, 256> kMarks = [] {
  std::array<bool, 256> marks{};
  for (const char c : {'"', '{', '}', '[', ']'}) marks[static_cast<unsigned char>(c)] = true;
  return marks;
}();

json::parse_options options() {
  json::parse_options options;
  options.max_depth = kDeepest;
  return options;
}

// Gets a document from basic_parser value by value, and sees where a list of events begins.
class Watcher {
 public:
  static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_key_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);
  using Code = json::error_code;
  using Text = json::string_view;

  explicit Watcher(bool watches) : watches_(watches) {}

  bool on_document_begin(Code&) { return true; }
  bool on_document_end(Code&) { return true; }
  bool on_object_begin(Code& error) { return value(Kind::object, error) && ++depth_ > 0; }
  bool on_object_end(std::size_t, Code&) { return end(); }
  bool on_array_begin(Code& error) { return value(Kind::array, error) && ++depth_ > 0; }
  bool on_array_end(std::size_t, Code&) { return end(); }
  bool on_key_part(Text text, std::size_t, Code&) { return add_to_key(text); }
  bool on_key(Text text, std::size_t, Code&) {
    add_to_key(text);
    is_key_whole_ = true;
    return true;
  }
  bool on_string_part(Text, std::size_t, Code& error) {
    return std::exchange(is_in_text_, true) || value(Kind::other, error);
  }
  bool on_string(Text, std::size_t, Code& error) {
    return std::exchange(is_in_text_, false) || value(Kind::other, error);
  }
  bool on_number_part(Text, Code&) { return true; }
  bool on_int64(std::int64_t, Text, Code& error) { return value(Kind::other, error); }
  bool on_uint64(std::uint64_t, Text, Code& error) { return value(Kind::other, error); }
  bool on_double(double, Text, Code& error) { return value(Kind::other, error); }
  bool on_bool(bool, Code& error) { return value(Kind::other, error); }
  bool on_null(Code& error) { return value(Kind::other, error); }
  bool on_comment_part(Text, Code&) { return true; }
  bool on_comment(Text, Code&) { return true; }

  bool is_at_list() const { return is_at_list_; }
  bool is_object() const { return is_object_; }
  bool has_other_events() const { return has_events_; }
  std::string_view refusal() const { return refusal_; }

 private:
  enum class Kind { object, array, other };

  // Every value comes by here as it begins.
  bool value(Kind kind, Code& error) {
    is_at_list_ = false;
    if (!watches_) return true;
    if (depth_ == 0) {
      is_object_ = kind == Kind::object;
      is_at_list_ = kind == Kind::array;
      return kind != Kind::other || refuse(kExpected, error);
    }
    if (depth_ == 1 && is_object_ && key_ == "events") {
      if (has_events_) return refuse("the body has two members `events`; send one", error);
      has_events_ = true;
      is_at_list_ = kind == Kind::array;
    }
    return true;
  }
  bool end() {
    --depth_;
    is_at_list_ = false;
    return true;
  }
  bool add_to_key(Text text) {
    constexpr std::size_t kEnough = 7;  // to tell `events` from the others
    is_at_list_ = false;
    if (depth_ != 1) return true;
    if (is_key_whole_) key_.clear();
    is_key_whole_ = false;
    key_.append(text.data(), std::min(text.size(), kEnough - key_.size()));
    return true;
  }
  bool refuse(std::string_view why, Code& error) {
    refusal_ = why;
    error = json::error::exception;  // any: the reason stands in refusal_
    return false;
  }

  const bool watches_;
  std::size_t depth_ = 0;
  std::string key_;
  bool is_key_whole_ = true;
  bool is_in_text_ = false;
  bool is_object_ = false;
  bool has_events_ = false;
  bool is_at_list_ = false;
  std::string_view refusal_;
};

// Where the object ends that `text` begins with, if it is as plain as most: no brackets in it and
// no escapes, so that its first closing brace outside of a text is its last byte; 0: look closer.
std::size_t end_of_plain_object(std::string_view text) {
  const std::size_t brace = text.find('}');
  if (text.front() != '{' || brace == text.npos) return 0;
  // Bytes, so that the compiler takes many at a time.
  unsigned char is_in_text = 0, is_special = 0;
  for (const char c : text.substr(1, brace - 1)) {
    is_in_text = static_cast<unsigned char>(is_in_text ^ (c == '"'));
    is_special =
        static_cast<unsigned char>(is_special | (c == '\\') | (c == '{') | (c == '[') | (c == ']'));
  }
  return is_in_text == 0 && is_special == 0 ? brace + 1 : 0;
}

bool can_begin_value(char c) {
  return c == '{' || c == '[' || c == '"' || c == '-' || (c >= '0' && c <= '9') || c == 't' ||
         c == 'f' || c == 'n';
}

}  // namespace

class BodySplitter::Frame : public json::basic_parser<Watcher> {
 public:
  // Without `watches` any JSON will do.
  explicit Frame(bool watches) : json::basic_parser<Watcher>(options(), watches) {}
};

BodySplitter::BodySplitter(BodyForm form, std::size_t longest)
    : form_(form), longest_(longest), frame_(std::make_unique<Frame>(true)) {}
BodySplitter::~BodySplitter() = default;

bool BodySplitter::next(BodyElement& element) {
  if (std::exchange(is_given_, false)) kept_.clear();
  if (!refusal_.empty()) return false;
  return form_ == BodyForm::lines ? next_line(element) : next_in_json(element);
}

bool BodySplitter::next_line(BodyElement& element) {
  while (!rest_.empty() || (has_ended_ && size_ > 0)) {
    const std::size_t end = rest_.find('\n');
    const std::string_view line = rest_.substr(0, end);
    rest_.remove_prefix(end == rest_.npos ? rest_.size() : end + 1);
    offset_ += line.size();
    size_ += line.size();
    if (end == line.npos && !has_ended_) {
      keep(line);
      return false;
    }
    give(line, element);
    if (end != line.npos) ++offset_;
    if (element.size > longest_) return true;
    if (!std::all_of(element.bytes.begin(), element.bytes.end(), is_space)) return true;
    kept_.clear();
    is_given_ = false;
  }
  return false;
}

bool BodySplitter::next_in_json(BodyElement& element) {
  while (!rest_.empty() && refusal_.empty()) {
    if (is_in_element_) {
      if (read_element(element)) return true;
    } else if (is_in_list_) {
      find_element();
    } else {
      read_frame();
    }
  }
  return refusal_.empty() && std::exchange(has_ended_, false) && take_frame(element);
}

// At the end of the body: the object that is the only event.
bool BodySplitter::take_frame(BodyElement& element) {
  if (is_in_element_ && size_ <= longest_) check({kept_, size_, offset_ - size_});
  json::error_code error;
  if (!is_in_list_) frame_->write_some(false, nullptr, 0, error);
  if (error || is_in_list_) refuse_at(offset_, "incomplete JSON");
  if (!refusal_.empty() || size_ == 0) return false;
  give({}, element);
  return true;
}

// Up to a bracket at a time: what begins with it may be the list.
void BodySplitter::read_frame() {
  const std::size_t bracket = rest_.find('[');
  const auto part = rest_.substr(0, bracket == rest_.npos ? bracket : bracket + 1);
  feed_frame(part);
  if (!refusal_.empty()) return;
  rest_.remove_prefix(part.size());
  if (!frame_->handler().is_at_list() || part.back() != '[') {
    if (!has_list_) keep_frame(part);
    return;
  }
  kept_.clear();
  size_ = 0;
  has_list_ = is_in_list_ = is_value_next_ = may_list_end_ = true;
}

// Without the white space around it.
void BodySplitter::keep_frame(std::string_view bytes) {
  while (size_ == 0 && !bytes.empty() && is_space(bytes.front())) bytes.remove_prefix(1);
  while (frame_->done() && !bytes.empty() && is_space(bytes.back())) bytes.remove_suffix(1);
  size_ += bytes.size();
  keep(bytes);
}

void BodySplitter::feed_frame(std::string_view bytes) {
  json::error_code error;
  const auto read = frame_->write_some(true, bytes.data(), bytes.size(), error);
  offset_ += read;
  if (error) {
    const std::string_view why = frame_->handler().refusal();
    why.empty() ? refuse_at(offset_, error.message()) : refuse(std::string(why));
  } else if (read < bytes.size()) {
    refuse_at(offset_, "more follows the end; send events one a line as application/x-ndjson");
  }
}

void BodySplitter::find_element() {
  while (!rest_.empty() && is_space(rest_.front())) {
    rest_.remove_prefix(1);
    ++offset_;
  }
  if (rest_.empty()) return;
  const char c = rest_.front();
  if (c == ']' && (may_list_end_ || !is_value_next_)) {
    is_in_list_ = false;
    feed_frame(rest_.substr(0, 1));
    if (refusal_.empty()) rest_.remove_prefix(1);
  } else if (c == ',' && !is_value_next_) {
    is_value_next_ = true;
    may_list_end_ = false;
    rest_.remove_prefix(1);
    ++offset_;
  } else if (is_value_next_ && can_begin_value(c)) {
    is_in_element_ = true;
    first_ = c;
  } else {
    refuse_at(offset_, "syntax error");
  }
}

bool BodySplitter::read_element(BodyElement& element) {
  const std::size_t end = end_of_element();
  if (!refusal_.empty()) return false;
  const auto part = rest_.substr(0, end);
  rest_.remove_prefix(part.size());
  offset_ += part.size();
  size_ += part.size();
  if (end == part.npos) {
    keep(part);
    return false;
  }
  is_in_element_ = is_value_next_ = false;
  give(part, element);
  return true;
}

// In rest_; npos: it does not end there. Brackets are only counted: those that do not fit make the
// element no JSON, as much else may.
std::size_t BodySplitter::end_of_element() {
  if (first_ != '{' && first_ != '[' && first_ != '"') return rest_.find_first_of(",]} \t\r\n");
  if (const auto plain = size_ == 0 ? end_of_plain_object(rest_) : 0) return plain;
  const char* next = rest_.data();
  const char* const end = next + rest_.size();
  std::size_t depth = depth_;
  bool is_in_text = is_in_text_;
  if (is_escaped_) ++next;
  is_escaped_ = false;
  while (next != end) {
    if (is_in_text) {
      while (next != end && *next != '"' && *next != '\\') ++next;
      if (next == end) break;
      if (*next++ == '\\') {
        is_escaped_ = next == end;
        if (!is_escaped_) ++next;
        continue;
      }
      is_in_text = false;
    } else {
      while (next != end && !kMarks[static_cast<unsigned char>(*next)]) ++next;
      if (next == end) break;
      const char c = *next++;
      is_in_text = c == '"';
      if (c == '{' || c == '[') ++depth;
      if (c == '}' || c == ']') --depth;
      if (depth > kDeepest) {
        refuse_at(offset_ + static_cast<std::size_t>(next - 1 - rest_.data()),
                  fmt::format("nested deeper than {} levels", kDeepest));
        return 0;
      }
    }
    if (depth == 0 && !is_in_text) {
      depth_ = 0;
      is_in_text_ = false;
      return static_cast<std::size_t>(next - rest_.data());
    }
  }
  depth_ = depth;
  is_in_text_ = is_in_text;
  return rest_.npos;
}

// Of what is counted in size_ already.
void BodySplitter::keep(std::string_view bytes) {
  if (size_ <= longest_) {
    kept_ += bytes;
  } else {
    std::string().swap(kept_);
  }
}

// `last` is the end of the element, counted in size_ already.
void BodySplitter::give(std::string_view last, BodyElement& element) {
  if (size_ > longest_) {
    std::string().swap(kept_);
    last = {};
  } else if (size_ > last.size()) {
    kept_ += last;
    last = kept_;
  }
  is_given_ = true;
  element = {last, size_, offset_ - size_};
  size_ = 0;
}

void BodySplitter::check(const BodyElement& element) {
  Frame parser(false);
  json::error_code error;
  const auto read = parser.write_some(false, element.bytes.data(), element.bytes.size(), error);
  if (!error && read < element.bytes.size()) error = json::error::extra_data;
  if (error) refuse_at(element.offset + read, error.message());
}

void BodySplitter::refuse(std::string why) {
  if (!refusal_.empty()) return;
  refusal_ = std::move(why);
  rest_ = {};
  std::string().swap(kept_);
}

void BodySplitter::refuse_at(std::size_t offset, std::string_view why) {
  refuse(fmt::format("the body is not JSON at byte {}: {}", offset, why));
}

bool BodySplitter::has_other_events() const {
  return !has_list_ && frame_->handler().has_other_events();
}

std::size_t BodySplitter::memory() const {
  return kept_.capacity();
}

}  // namespace dwell
