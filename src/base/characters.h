#pragma once

namespace dwell {

inline bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// White space as RFC 8259 has it for JSON.
inline bool is_space(char c) {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

}  // namespace dwell
