#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/record.h"

namespace dwell {

// Finds the objects in a text of JSON: those of arrays, those that stand one after the other, over
// one line or several.
//
//   [{"a":1},{"b":[2]}]   {"a":1} and {"b":[2]}
//   {"a":1} {"b":2}       the same
//
// Between records stand white space, commas and brackets. Anything else there is a record, too, up
// to the next comma, bracket or line: the decoder refuses it. Only brackets and strings are
// followed. An object that breaks off gives way to the next one: a `{` where a member has to stand,
// or, behind another break of the syntax, a `{` behind a `}` with nothing between that belongs to
// an object. Knows nothing of what was before the last record: cutting can begin behind any.
//
// Takes the text in pieces and keeps only how deep it is. Not thread-safe.
class JsonCutter {
 public:
  // In offsets of the text. A record that ends at `end` may have white space and commas behind it
  // that were looked at: `resume` is where the next one is looked for.
  struct Found {
    Offset begin;
    Offset end;
    Offset resume;
  };

  // `is_wrapped`: arrays stand in objects, as in {"events":[...],"next":"..."}, whose other members
  // are passed over.
  explicit JsonCutter(bool is_wrapped) : is_wrapped_(is_wrapped) {}

  // Begins at `offset` of the text, which is between records.
  void start(Offset offset);
  // Goes on through `bytes`, which begin at at(). Stops behind a record; else all were looked at.
  std::optional<Found> next(std::string_view bytes);
  // At the end of the text: a record that has not ended.
  std::optional<Found> finish();

  Offset at() const { return at_; }
  // Where the record that has not ended begins; empty between records.
  std::optional<Offset> begun() const;
  // Whether an array was closed behind the last record.
  bool is_closed() const { return is_closed_; }

 private:
  enum class In { between, object, rest, string_of_rest };

  void begin_object();
  bool go_through_object(char c);
  void go_through_string(char c);
  bool fits(char c) const;
  Found found(Offset end, Offset resume);

  const bool is_wrapped_;
  In in_ = In::between;
  Offset at_ = 0;
  Offset begin_ = 0;
  bool is_closed_ = false;

  // Within an object.
  std::string brackets_;  // the open ones, at most kDeepest
  std::uint64_t deeper_ = 0;
  char before_ = 0;  // the last character but white space, outside of strings; `"` for a string
  bool is_in_string_ = false;
  bool is_escaped_ = false;
  bool is_broken_ = false;            // its syntax: where it ends is guessed
  std::optional<Offset> last_brace_;  // behind the last `}` of a broken one, if separators followed
  std::string opening_;               // the first characters but white space, of a wrapped text

  // Within anything else.
  bool is_text_first_ = false;  // in a wrapped text
  bool is_member_ = false;      // of the object around the array
};

// Whether `text` is one whole object with nothing but white space around it.
bool is_one_object(std::string_view text);

}  // namespace dwell
