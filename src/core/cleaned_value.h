#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "core/event.h"

namespace dwell {

// Appends the value of a record of the cleaned topic: JSON as Kafka Connect's JsonConverter reads
// it with schemas enabled, byte by byte as docs/formats.md says. `device` is a valid device id.
// Strings are escaped as Go's encoding/json does, < > & U+2028 and U+2029 included.
void append_cleaned_value(std::string_view device, const Change& change, std::string& out);

// A record of the cleaned topic as it is read. Headers that are missing: empty.
struct CleanedBytes {
  std::string_view value;
  std::optional<std::string_view> seq = {};
  std::optional<std::string_view> rank = {};
  std::optional<std::string_view> operation = {};
};

// What a record of the cleaned topic asks a store for.
struct RowChange {
  std::string_view device;
  Timestamp timestamp;
  EventType type;
  Operation operation = Operation::insert;
  std::uint64_t rank = 0;
  std::optional<std::uint64_t> seq = {};
};

// Reads such records: what append_cleaned_value() wrote, and any other JSON that has a payload with
// these members. Not thread-safe.
class CleanedDecoder {
 public:
  CleanedDecoder();
  ~CleanedDecoder();
  CleanedDecoder(const CleanedDecoder&) = delete;
  CleanedDecoder& operator=(const CleanedDecoder&) = delete;

  // `device` points into the value, or into the decoder until reset(). Fails with `invalid` and
  // what is wrong.
  Result<RowChange> decode(const CleanedBytes& record);
  void reset();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dwell
