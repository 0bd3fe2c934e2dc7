#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/record.h"

namespace bench {

// A whole file; ends the program when it cannot be read.
std::string read_file(const char* path);

// The lines of `content` as records. Their receive time is the latest there is, so that no event
// lies in the future.
std::vector<dwell::Record> split(std::string_view content);

}  // namespace bench
