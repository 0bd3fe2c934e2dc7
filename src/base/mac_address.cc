#include "base/mac_address.h"

namespace dwell {

std::optional<std::string> usual_mac_address(std::string_view text) {
  constexpr std::size_t kDigits = 12;
  std::size_t group = kDigits;  // digits between two separators
  if (text.size() == 17 && (text[2] == ':' || text[2] == '-')) group = 2;
  if (text.size() == 14 && text[4] == '.') group = 4;
  if (text.size() != kDigits + kDigits / group - 1) return std::nullopt;
  std::string address;
  std::size_t digits = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (i % (group + 1) == group) {
      if (c != text[group]) return std::nullopt;
      continue;
    }
    const bool is_digit = c >= '0' && c <= '9';
    if (!is_digit && (c < 'a' || c > 'f') && (c < 'A' || c > 'F')) return std::nullopt;
    if (digits > 0 && digits % 2 == 0) address += ':';
    address += c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
    ++digits;
  }
  return address;
}

}  // namespace dwell
