#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace dwell {

// The parameters of a statement in PostgreSQL's binary formats. What is added is copied.
class PgParameters {
 public:
  PgParameters& text(std::string_view value);
  PgParameters& bytes(std::string_view value) { return text(value); }
  PgParameters& integer(std::int64_t value);  // bigint
  // One-dimensional arrays: bigint[] and text[].
  PgParameters& integers(std::span<const std::int64_t> values);
  PgParameters& texts(std::span<const std::string_view> values);

  int count() const { return static_cast<int>(ends_.size()); }
  // As libpq wants them, valid until the next change.
  const char* const* values() const;
  const int* lengths() const;
  const int* formats() const;

 private:
  void end() { ends_.push_back(buffer_.size()); }

  std::string buffer_;
  std::vector<std::size_t> ends_;
  mutable std::vector<const char*> values_;
  mutable std::vector<int> lengths_;
  mutable std::vector<int> formats_;
};

// Integers as PostgreSQL sends and takes them: big-endian.
void put_big_endian(std::string& out, std::uint64_t value, int bytes);
inline std::int64_t big_endian(std::string_view bytes) {
  if (bytes.size() == sizeof(std::uint64_t)) {
    std::uint64_t value = 0;
    std::memcpy(&value, bytes.data(), sizeof value);
    return static_cast<std::int64_t>(__builtin_bswap64(value));
  }
  std::uint64_t value = !bytes.empty() && (bytes[0] & 0x80) != 0 ? ~0ull : 0;
  for (const char byte : bytes) value = value << 8 | static_cast<unsigned char>(byte);
  return static_cast<std::int64_t>(value);
}

}  // namespace dwell
