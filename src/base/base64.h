#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace dwell {

// RFC 4648, section 4: with padding.
std::string base64(std::string_view bytes);

// RFC 4648, section 5: for URLs, without padding.
std::string base64url(std::string_view bytes);
// None: it is not what base64url() writes; one value has one text.
std::optional<std::string> from_base64url(std::string_view text);

}  // namespace dwell
