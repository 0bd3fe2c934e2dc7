#include "postgres/parameters.h"

namespace dwell {
namespace {

// Numbers of types, from pg_type.dat: they never change.
constexpr std::uint32_t kBigint = 20;
constexpr std::uint32_t kText = 25;

void put_array_head(std::string& out, std::uint32_t element_type, std::size_t size) {
  put_big_endian(out, 1, 4);  // dimensions
  put_big_endian(out, 0, 4);  // no nulls
  put_big_endian(out, element_type, 4);
  put_big_endian(out, size, 4);
  put_big_endian(out, 1, 4);  // first index
}

}  // namespace

void put_big_endian(std::string& out, std::uint64_t value, int bytes) {
  for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i));
}

PgParameters& PgParameters::text(std::string_view value) {
  buffer_ += value;
  end();
  return *this;
}

PgParameters& PgParameters::integer(std::int64_t value) {
  put_big_endian(buffer_, static_cast<std::uint64_t>(value), 8);
  end();
  return *this;
}

PgParameters& PgParameters::integers(std::span<const std::int64_t> values) {
  put_array_head(buffer_, kBigint, values.size());
  for (const std::int64_t value : values) {
    put_big_endian(buffer_, 8, 4);
    put_big_endian(buffer_, static_cast<std::uint64_t>(value), 8);
  }
  end();
  return *this;
}

PgParameters& PgParameters::texts(std::span<const std::string_view> values) {
  put_array_head(buffer_, kText, values.size());
  for (const std::string_view value : values) {
    put_big_endian(buffer_, value.size(), 4);
    buffer_ += value;
  }
  end();
  return *this;
}

const char* const* PgParameters::values() const {
  values_.clear();
  std::size_t start = 0;
  for (std::size_t i = 0; i < ends_.size(); ++i) {
    values_.push_back(buffer_.data() + start);
    start = ends_[i];
  }
  return values_.data();
}

const int* PgParameters::lengths() const {
  lengths_.clear();
  std::size_t start = 0;
  for (const std::size_t end : ends_) {
    lengths_.push_back(static_cast<int>(end - start));
    start = end;
  }
  return lengths_.data();
}

const int* PgParameters::formats() const {
  formats_.assign(ends_.size(), 1);
  return formats_.data();
}

}  // namespace dwell
