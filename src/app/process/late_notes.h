#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/rule.h"
#include "ports/observer.h"

namespace dwell {

// Gathers what is to be told of events that came late: too late for their device's window, or, in
// arrival order, out of order.
class LateNotes {
 public:
  // The next batch of a partition. `known` are those of its too_late records that its rows show.
  void add(const Partition& partition, std::span<const std::uint32_t> known);

  bool empty() const { return count_ == 0 && out_of_order_ == 0; }

  // Lines: how many there were, what puts them in their place, and whose clock jumped. Empty for
  // none.
  std::vector<std::string> lines(const Rule& rule) const;

 private:
  static constexpr std::size_t kNamedDevices = 3;

  struct Jumped {
    std::string device;
    ClockJump jump;
  };

  std::uint64_t count_ = 0;
  std::uint64_t known_ = 0;
  std::uint64_t within_horizon_ = 0;
  Milliseconds furthest_behind_{0};
  std::vector<Jumped> jumped_;  // the first devices, each once
  std::uint64_t out_of_order_ = 0;
};

}  // namespace dwell
