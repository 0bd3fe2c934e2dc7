#pragma once

#include <cstddef>
#include <optional>

#include "base/result.h"

namespace dwell {

// One thing that goes wrong: calls are counted from 1, and those from `at` on, `times` of them,
// fail with `kind`.
struct Fault {
  std::size_t at;
  ErrorKind kind;
  std::size_t times = 1;
  bool happened = false;  // with unknown_outcome: whether the call took effect all the same
};

// Counts the calls of one function of a fake and says which of them fail.
class FaultPlan {
 public:
  void set(const Fault& fault) {
    fault_ = fault;
    calls_ = 0;
    was_reached_ = false;
  }
  void clear() { fault_.reset(); }

  // Counts a call; the fault it meets, if any.
  std::optional<Fault> next() {
    ++calls_;
    const bool fails = fault_ && calls_ >= fault_->at && calls_ - fault_->at < fault_->times;
    was_reached_ |= fails;
    return fails ? fault_ : std::nullopt;
  }

  std::size_t calls() const { return calls_; }
  // Whether the fault set last was met, cleared or not.
  bool was_reached() const { return was_reached_; }

 private:
  std::optional<Fault> fault_;
  std::size_t calls_ = 0;
  bool was_reached_ = false;
};

}  // namespace dwell
