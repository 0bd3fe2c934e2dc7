#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace dwell {

// A MAC address in its usual spelling, 02:00:5e:10:00:aa. `text` has its 12 hexadecimal digits
// alone, in pairs with : or - between them, or in fours with dots. Empty for anything else.
std::optional<std::string> usual_mac_address(std::string_view text);

}  // namespace dwell
