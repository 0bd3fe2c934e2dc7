#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace dwell {

// How the events of a body are put together: a JSON text, or one event on each line.
enum class BodyForm { json, lines };

// One event of a body, as it was sent.
struct BodyElement {
  std::string_view bytes;  // valid until the next call; empty when it is too long
  std::size_t size = 0;    // of the whole
  std::size_t offset = 0;  // in the body
};

// Cuts a body into its events as it comes in, in pieces cut anywhere.
//
// A JSON text gives the elements of the array that it is, those of `events` of the object that it
// is, or, without such an array, the object itself once it has ended. Example:
// `{"a":1,"events":[{"b":2},3]}` gives `{"b":2}` and `3`. What stands around the elements is
// checked as it comes; whether each of them is JSON is for the reader to find out. Lines give
// themselves, without those of white space alone.
//
// Call add(), then next() until it is false; at last end(), then next() until it is false. Holds at
// most one element, and none that is longer than `longest`.
class BodySplitter {
 public:
  BodySplitter(BodyForm form, std::size_t longest);
  ~BodySplitter();

  // `piece` must live until next() is false.
  void add(std::string_view piece) { rest_ = piece; }
  void end() { has_ended_ = true; }
  bool next(BodyElement& element);

  // Gives up: nothing more comes out.
  void refuse(std::string why);
  // Refuses the body when `element` is no JSON, with the place of the fault.
  void check(const BodyElement& element);

  // Why the body was refused; empty: it was not.
  const std::string& refusal() const { return refusal_; }
  // Whether the element is the body as a whole, and it has a member `events` that is no array.
  bool has_other_events() const;
  std::size_t memory() const;

 private:
  class Frame;

  bool next_line(BodyElement& element);
  bool next_in_json(BodyElement& element);
  bool take_frame(BodyElement& element);
  void read_frame();
  void feed_frame(std::string_view bytes);
  void keep_frame(std::string_view bytes);
  void find_element();
  bool read_element(BodyElement& element);
  std::size_t end_of_element();
  void keep(std::string_view bytes);
  void give(std::string_view last, BodyElement& element);
  void refuse_at(std::size_t offset, std::string_view why);

  const BodyForm form_;
  const std::size_t longest_;
  std::string_view rest_;   // of the piece at hand
  std::size_t offset_ = 0;  // in the body, of rest_
  bool has_ended_ = false;
  std::string refusal_;

  std::string kept_;       // of the element that has begun
  std::size_t size_ = 0;   // of that, kept or not
  bool is_given_ = false;  // what is kept; it can go

  std::unique_ptr<Frame> frame_;  // what stands around the elements
  bool has_list_ = false;
  bool is_in_list_ = false;
  bool is_value_next_ = false;  // in the list; else a comma
  bool may_list_end_ = false;   // where a value is next

  bool is_in_element_ = false;
  char first_ = 0;         // of the element
  std::size_t depth_ = 0;  // of the brackets open in it
  bool is_in_text_ = false;
  bool is_escaped_ = false;
};

}  // namespace dwell
