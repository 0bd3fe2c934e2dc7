#pragma once

#include <string>

#include "app/commands/command_set.h"

namespace dwell {

inline constexpr std::uint32_t kMostSampled = 1'000;  // records

struct SampleArguments {
  std::string file;  // or - for standard input
  std::uint32_t records = 10;
  Format format = Format::table;
};

// Prints the first records of a feed: what is read of each member and where, or why not. Stores
// nothing. Errors: fatal when no record can be used, those of FileSource.
Result<void> check_sample(const Config& config, const SampleArguments& arguments);

}  // namespace dwell
