#pragma once

#include <string>
#include <string_view>

#include "core/event.h"

namespace dwell {

// Appends the value of a record of the cleaned topic: JSON as Kafka Connect's JsonConverter reads
// it with schemas enabled, byte by byte as docs/formats.md says. `device` is a valid device id.
// Strings are escaped as Go's encoding/json does, < > & U+2028 and U+2029 included.
void append_cleaned_value(std::string_view device, const Change& change, std::string& out);

}  // namespace dwell
