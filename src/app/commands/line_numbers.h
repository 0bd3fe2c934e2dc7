#pragma once

#include <cstdint>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>

#include "core/record.h"

namespace dwell {

// Tells in which line of a file a record stands. Goes through a file once when its records are
// asked for in order.
class LineNumbers {
 public:
  // From 1. Empty where `path` is no regular file, has not `beginning` at `offset` any more, or the
  // record lies too far behind for a look.
  std::optional<std::uint64_t> line_of(const std::string& path, Offset offset,
                                       std::string_view beginning);

 private:
  static constexpr Offset kFarthest = Offset{4} << 30;  // bytes to be read for one command

  bool go_to(const std::string& path, Offset offset);

  std::string path_;
  std::ifstream file_;
  Offset offset_ = 0;        // up to which newlines are counted
  std::uint64_t lines_ = 0;  // before offset_
  std::string chunk_;        // scratch
};

}  // namespace dwell
