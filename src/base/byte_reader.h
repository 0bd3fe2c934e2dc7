#pragma once

#include <cstdint>
#include <string_view>

#include "base/timestamp.h"
#include "base/varint.h"

namespace dwell {

// Takes a binary record apart; once one part does not fit, every later one is zero or empty and the
// record is not sound.
class ByteReader {
 public:
  explicit ByteReader(std::string_view record) : rest_(record) {}

  std::uint64_t number(std::uint64_t largest = UINT64_MAX) {
    const auto value = is_sound_ ? take_varint(rest_) : std::nullopt;
    is_sound_ = value && *value <= largest;
    return is_sound_ ? *value : 0;
  }

  unsigned char byte() {
    const auto one = bytes(1);
    return one.empty() ? 0 : static_cast<unsigned char>(one.front());
  }

  std::string_view bytes(std::uint64_t length) {
    is_sound_ = is_sound_ && length <= rest_.size();
    if (!is_sound_) return {};
    const auto taken = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return taken;
  }

  // A length and as many bytes.
  std::string_view text(std::uint64_t longest) { return bytes(number(longest)); }

  // Times are stored plus one, so that 0 is "never".
  Timestamp time_or_never() {
    return from_ms(static_cast<std::int64_t>(number(to_ms(kLatest) + 1)) - 1);
  }

  void require(bool condition) { is_sound_ = is_sound_ && condition; }
  bool is_sound() const { return is_sound_; }
  bool is_complete() const { return is_sound_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool is_sound_ = true;
};

}  // namespace dwell
