#pragma once

#include <boost/json/value.hpp>
#include <string>
#include <string_view>

#include "base/result.h"

namespace dwell {

// Writes to standard output. Errors: fatal when it cannot be written (a closed pipe, a full disk).
Result<void> print(std::string_view text);

// Writes to standard error. That it cannot be written stops nothing: nobody could be told.
void tell(std::string_view text);

// One JSON document and a newline.
Result<void> print_document(const boost::json::value& value);

}  // namespace dwell
