#pragma once

#include <cstddef>
#include <string_view>

namespace dwell {

// Takes the body of a request as it comes in, in pieces cut anywhere.
class BodySink {
 public:
  virtual ~BodySink() = default;

  virtual void add(std::string_view piece) = 0;
  virtual std::size_t memory() const = 0;  // bytes held of what was added
  // Whether what was added stands for more than a body may have: the rest is not read.
  virtual bool is_too_large() const { return false; }
};

}  // namespace dwell
