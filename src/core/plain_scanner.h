#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace dwell {

// Steps through the plainest JSON: ASCII, strings without escapes, natural numbers, no white space
// but spaces. Each take_*() skips spaces, then takes what it is named after or says that it is not
// there. What it took is valid; what it does not know may still be valid JSON.
//
// The bytes stay where they are and must live as long as the tokens. Reads nothing beyond them.
class PlainScanner {
 public:
  explicit PlainScanner(std::string_view bytes)
      : next_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  bool take(char wanted) {
    skip_spaces();
    if (next_ == end_ || *next_ != wanted) return false;
    ++next_;
    return true;
  }

  // `token` is the string with its quotes.
  bool take_string(std::string_view& token) {
    if (!take('"')) return false;
    const char* const start = next_ - 1;
    skip_plain_text();
    if (next_ == end_ || *next_ != '"') return false;
    ++next_;
    token = {start, static_cast<std::size_t>(next_ - start)};
    return true;
  }

  // Without a sign, a fraction or an exponent: what follows the digits is for the next take_*().
  bool take_natural_number(std::string_view& token) {
    skip_spaces();
    const char* const start = next_;
    while (next_ != end_ && *next_ >= '0' && *next_ <= '9') ++next_;
    token = {start, static_cast<std::size_t>(next_ - start)};
    return !token.empty() && (token.front() != '0' || token.size() == 1);
  }

  bool is_at_end() {
    skip_spaces();
    return next_ == end_;
  }

 private:
  void skip_spaces() {
    while (next_ != end_ && *next_ == ' ') ++next_;
  }

  // Goes to the next special byte: a quote, a backslash, a control character (U+0000-001F) or one
  // beyond ASCII.
  void skip_plain_text() {
    for (; end_ - next_ >= 8; next_ += 8) {
      const std::uint64_t marks = mark_special_bytes(next_);
      if (marks == 0) continue;
      next_ += std::countr_zero(marks) / 8;
      return;
    }
    while (next_ != end_ && !is_special(static_cast<unsigned char>(*next_))) ++next_;
  }

  static bool is_special(unsigned char byte) {
    return byte == '"' || byte == '\\' || byte < 0x20 || byte >= 0x80;
  }

  // Eight bytes at once, the first one lowest. The lowest bit set is the high bit of the first
  // special byte: subtracting borrows from a byte's high bit when the byte is the smaller one. A
  // borrow also reaches the bytes above it, but those come later.
  static std::uint64_t mark_special_bytes(const char* bytes) {
    constexpr std::uint64_t kEach = 0x0101'0101'0101'0101;
    std::uint64_t word = 0;
    std::memcpy(&word, bytes, sizeof(word));
    if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap64(word);
    const std::uint64_t quotes = word ^ kEach * '"';        // 0 where there is one
    const std::uint64_t backslashes = word ^ kEach * '\\';  // 0 where there is one
    const std::uint64_t marks = ((quotes - kEach) & ~quotes) |
                                ((backslashes - kEach) & ~backslashes) | (word - kEach * 0x20) |
                                word;
    return marks & kEach * 0x80;
  }

  const char* next_;
  const char* end_;
};

}  // namespace dwell
