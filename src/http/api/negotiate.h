#pragma once

#include <optional>
#include <string_view>

#include "questions/list_writer.h"

namespace dwell {

std::string_view content_type(Representation representation);

// The best of application/json, application/x-ndjson and text/csv for an Accept `header` (RFC 9110
// section 12.5.1); empty when none is acceptable.
std::optional<Representation> negotiate(std::string_view header);

}  // namespace dwell
