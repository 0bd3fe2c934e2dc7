#pragma once

#include <span>
#include <string>
#include <string_view>

namespace dwell {

// A text of others, such as a library's reason, without what must not be told: each of `secrets`
// stands as ***. So does a part of eight characters or more, since some quote from the middle of a
// value; one of fewer than four is looked for as a word alone.
std::string masked(std::string_view text, std::span<const std::string> secrets);

}  // namespace dwell
