#pragma once

#include <string_view>

namespace dwell {

// One numbered step of a store's layout; its number is its place in the list, from 1.
struct Migration {
  std::string_view name;  // NNNN_name
  std::string_view up;
  std::string_view down;
};

}  // namespace dwell
