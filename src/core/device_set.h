#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "core/event.h"

namespace dwell {

// Which devices something happened to: a bit each, cleared through the list of those it holds, and
// adding one takes no allocation once it is large enough.
class DeviceSet {
 public:
  // False when it is in the set already.
  bool add(DeviceIndex index) {
    if (index / 64 >= bits_.size()) bits_.resize(std::max<std::size_t>(64, index / 64 * 2));
    std::uint64_t& word = bits_[index / 64];
    const std::uint64_t bit = std::uint64_t{1} << (index % 64);
    if (word & bit) return false;
    word |= bit;
    list_.push_back(index);
    return true;
  }
  void clear() {
    for (const DeviceIndex index : list_) bits_[index / 64] = 0;
    list_.clear();
  }
  // In the order they were added.
  const std::vector<DeviceIndex>& list() const { return list_; }
  std::size_t allocated_bytes() const {
    return bits_.capacity() * sizeof(bits_[0]) + list_.capacity() * sizeof(list_[0]);
  }

 private:
  std::vector<std::uint64_t> bits_;
  std::vector<DeviceIndex> list_;
};

}  // namespace dwell
