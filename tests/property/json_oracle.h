#pragma once

#include <cstdint>
#include <string_view>

namespace dwell {

// A second opinion on JSON: RFC 8259 letter by letter, slow and without any library. Says whether
// the bytes are one JSON object in valid UTF-8, its containers nested at most `deepest`.
class JsonOracle {
 public:
  static bool is_object(std::string_view bytes, int deepest) {
    JsonOracle oracle(bytes);
    oracle.skip_space();
    if (oracle.peek() != '{' || !oracle.value(deepest)) return false;
    oracle.skip_space();
    return oracle.rest_.empty() && is_utf8(bytes);
  }

  // RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
  static bool is_utf8(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto lead = static_cast<unsigned char>(bytes[0]);
      const std::size_t length = lead < 0x80   ? 1
                                 : lead < 0xc2 ? 0
                                 : lead < 0xe0 ? 2
                                 : lead < 0xf0 ? 3
                                 : lead < 0xf5 ? 4
                                               : 0;
      if (length == 0 || bytes.size() < length) return false;
      std::uint32_t point = length == 1 ? lead : lead & (0x7fu >> length);
      for (std::size_t i = 1; i < length; ++i) {
        const auto next = static_cast<unsigned char>(bytes[i]);
        if ((next & 0xc0) != 0x80) return false;
        point = point << 6 | (next & 0x3f);
      }
      const bool is_overlong = (length == 3 && point < 0x800) || (length == 4 && point < 0x10000);
      if (is_overlong || (point >= 0xd800 && point < 0xe000) || point > 0x10ffff) return false;
      bytes.remove_prefix(length);
    }
    return true;
  }

 private:
  explicit JsonOracle(std::string_view bytes) : rest_(bytes) {}

  // -1 at the end.
  int peek() const { return rest_.empty() ? -1 : static_cast<unsigned char>(rest_[0]); }
  int take() {
    const int byte = peek();
    if (byte >= 0) rest_.remove_prefix(1);
    return byte;
  }
  bool take(std::string_view expected) {
    if (!rest_.starts_with(expected)) return false;
    rest_.remove_prefix(expected.size());
    return true;
  }
  void skip_space() {
    while (peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r') take();
  }

  bool value(int deepest) {
    skip_space();
    switch (peek()) {
      case '{':
        return deepest > 0 && members(deepest - 1);
      case '[':
        return deepest > 0 && elements(deepest - 1);
      case '"':
        return string();
      case 't':
        return take("true");
      case 'f':
        return take("false");
      case 'n':
        return take("null");
      default:
        return number();
    }
  }

  bool members(int deepest) {
    take();
    skip_space();
    if (take("}")) return true;
    do {
      skip_space();
      if (peek() != '"' || !string()) return false;
      skip_space();
      if (!take(":") || !value(deepest)) return false;
      skip_space();
    } while (take(","));
    return take("}");
  }

  bool elements(int deepest) {
    take();
    skip_space();
    if (take("]")) return true;
    do {
      if (!value(deepest)) return false;
      skip_space();
    } while (take(","));
    return take("]");
  }

  bool string() {
    take();
    for (int byte = take(); byte != '"'; byte = take()) {
      if (byte < 0x20) return false;  // the end too
      if (byte == '\\' && !escape()) return false;
    }
    return true;
  }

  bool escape() {
    const int kind = take();
    if (kind != 'u')
      return kind > 0 &&
             std::string_view("\"\\/bfnrt").find(static_cast<char>(kind)) != std::string_view::npos;
    for (int i = 0; i < 4; ++i) {
      const int digit = take();
      const bool is_hex = (digit >= '0' && digit <= '9') || (digit >= 'a' && digit <= 'f') ||
                          (digit >= 'A' && digit <= 'F');
      if (!is_hex) return false;
    }
    return true;
  }

  bool digits() {
    const auto before = rest_.size();
    while (peek() >= '0' && peek() <= '9') take();
    return rest_.size() < before;
  }

  bool number() {
    take("-");
    if (!take("0") && !digits()) return false;
    if (take(".") && !digits()) return false;
    if (take("e") || take("E")) {
      if (!take("+")) take("-");
      return digits();
    }
    return true;
  }

  std::string_view rest_;
};

}  // namespace dwell
