#pragma once

#include <cstddef>
#include <string>

#include "base/result.h"

namespace dwell {

// The text of a file, or of what comes through a pipe, a FIFO or a device until it ends. What does
// not end is refused, whichever way: more than `most` bytes (whole MiB), bytes that are no text, or
// no bytes for five seconds. Errors: invalid, told with the path and what to do.
Result<std::string> read_text(const std::string& path, std::size_t most);

}  // namespace dwell
