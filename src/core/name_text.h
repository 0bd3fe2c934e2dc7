#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace dwell {

// A text that many others are compared with: most by one or two words of eight bytes, without a
// call.
class NameText {
 public:
  explicit NameText(std::string text) : text_(std::move(text)) {
    if (text_.size() < kWord) return;
    head_ = word(text_.data());
    tail_ = word(text_.data() + text_.size() - kWord);
  }

  const std::string& text() const { return text_; }
  bool is(std::string_view other) const {
    const std::size_t size = other.size();
    if (size != text_.size()) return false;
    if (size < kWord) return other == text_;
    return word(other.data()) == head_ && word(other.data() + size - kWord) == tail_ &&
           (size <= 2 * kWord || other == text_);
  }

 private:
  static constexpr std::size_t kWord = sizeof(std::uint64_t);
  static std::uint64_t word(const char* bytes) {
    std::uint64_t value = 0;
    std::memcpy(&value, bytes, kWord);
    return value;
  }

  std::string text_;
  std::uint64_t head_ = 0;  // the first word, of a text that has one
  std::uint64_t tail_ = 0;  // the last one
};

}  // namespace dwell
