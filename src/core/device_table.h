#pragma once

#define XXH_INLINE_ALL
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>
#include <xxhash.h>

#include "base/check.h"
#include "core/event.h"

namespace dwell {

// Device ids to dense numbers and back, and nothing else of a device.
//
// Ids live in an arena of blocks, so a string_view handed out stays valid as long as the table.
// The index is open addressing over 8-byte slots (hash, number + 1) at a load of at most 3/4; a
// slot's hash settles nearly every comparison without touching the id, and growing needs no id at
// all. Lookups are split in hash / prefetch / find so that a batch can overlap its cache misses.
// Not thread-safe. Ids are 1 to kLongestDeviceId bytes.
class DeviceNames {
 public:
  // `seed` keeps chosen ids from colliding on purpose; it does not change any answer.
  explicit DeviceNames(std::uint64_t seed) : seed_(seed), slots_(kFirstSlots) {}

  using Hash = std::uint32_t;

  Hash hash(std::string_view id) const {
    return static_cast<Hash>(XXH3_64bits_withSeed(id.data(), id.size(), seed_));
  }
  void prefetch(Hash hash) const { __builtin_prefetch(&slots_[home(hash)]); }

  std::optional<DeviceIndex> find(std::string_view id, Hash hash) const {
    for (std::size_t i = home(hash);; i = (i + 1) & (slots_.size() - 1)) {
      const Slot& slot = slots_[i];
      if (slot.number == 0) return std::nullopt;
      if (slot.hash == hash && this->id(slot.number - 1) == id) return slot.number - 1;
    }
  }

  // `id` is not in the table yet. Returns its number, the old size().
  DeviceIndex add(std::string_view id, Hash hash) {
    CHECK(!id.empty() && id.size() <= kLongestDeviceId);
    if ((places_.size() + 1) * 4 > slots_.size() * 3) grow();
    const auto index = static_cast<DeviceIndex>(places_.size());
    places_.push_back(store(id));
    put({hash, index + 1});
    return index;
  }

  std::string_view id(DeviceIndex index) const {
    const std::uint32_t place = places_[index];
    const char* stored = blocks_[place / kUnitsPerBlock].get() + place % kUnitsPerBlock * kUnit;
    return {stored + 1, static_cast<std::size_t>(static_cast<unsigned char>(stored[0])) + 1};
  }

  void prefetch_id(DeviceIndex index) const {
    const std::uint32_t place = places_[index];
    __builtin_prefetch(blocks_[place / kUnitsPerBlock].get() + place % kUnitsPerBlock * kUnit);
  }

  std::size_t size() const { return places_.size(); }

  std::size_t allocated_bytes() const {
    return slots_.capacity() * sizeof(Slot) + places_.capacity() * sizeof(places_[0]) +
           blocks_.size() * kBlockBytes;
  }

 private:
  struct Slot {
    Hash hash = 0;
    std::uint32_t number = 0;  // 0: free
  };

  static constexpr std::size_t kFirstSlots = 64;
  static constexpr std::size_t kBlockBytes = 64 * 1024;
  static constexpr std::size_t kUnit = 4;  // ids start at multiples of it: 16 GiB in 32 bits
  static constexpr std::size_t kUnitsPerBlock = kBlockBytes / kUnit;

  std::size_t home(Hash hash) const { return hash & (slots_.size() - 1); }

  void put(Slot slot) {
    std::size_t i = home(slot.hash);
    while (slots_[i].number != 0) i = (i + 1) & (slots_.size() - 1);
    slots_[i] = slot;
  }

  void grow() {
    std::vector<Slot> old(slots_.size() * 2);
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (slot.number != 0) put(slot);
    }
  }

  // A length byte (length - 1) and the bytes. An id never crosses a block.
  std::uint32_t store(std::string_view id) {
    const std::size_t units = (id.size() + 1 + kUnit - 1) / kUnit;
    if (blocks_.empty() || block_used_ + units > kUnitsPerBlock) {
      blocks_.push_back(std::make_unique<char[]>(kBlockBytes));
      block_used_ = 0;
    }
    const std::size_t place = (blocks_.size() - 1) * kUnitsPerBlock + block_used_;
    CHECK(place <= UINT32_MAX);  // 16 GiB of ids: memory ends long before
    char* stored = blocks_.back().get() + block_used_ * kUnit;
    stored[0] = static_cast<char>(id.size() - 1);
    std::memcpy(stored + 1, id.data(), id.size());
    block_used_ += units;
    return static_cast<std::uint32_t>(place);
  }

  std::uint64_t seed_;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> places_;
  std::vector<std::unique_ptr<char[]>> blocks_;
  std::size_t block_used_ = 0;  // units taken in the last block
};

// The names above with one State for each device, in blocks that never move.
template <typename State>
class DeviceTable {
 public:
  explicit DeviceTable(std::uint64_t seed) : names_(seed) {}

  const DeviceNames& names() const { return names_; }

  DeviceIndex find_or_add(std::string_view id, DeviceNames::Hash hash) {
    if (const auto found = names_.find(id, hash)) return *found;
    return add(id, hash);
  }

  DeviceIndex add(std::string_view id, DeviceNames::Hash hash) {
    const DeviceIndex index = names_.add(id, hash);
    if (index / kPerBlock == blocks_.size()) {
      blocks_.push_back(std::make_unique<State[]>(kPerBlock));
    }
    return index;
  }

  State& state(DeviceIndex index) { return blocks_[index / kPerBlock][index % kPerBlock]; }
  const State& state(DeviceIndex index) const {
    return blocks_[index / kPerBlock][index % kPerBlock];
  }

  void prefetch(DeviceIndex index) const {
    const char* start = reinterpret_cast<const char*>(&state(index));
    __builtin_prefetch(start);
    __builtin_prefetch(start + sizeof(State) - 1);
  }

  std::size_t allocated_bytes() const {
    return names_.allocated_bytes() + blocks_.size() * kPerBlock * sizeof(State);
  }

 private:
  static constexpr std::size_t kPerBlock = 1024;

  DeviceNames names_;
  std::vector<std::unique_ptr<State[]>> blocks_;
};

}  // namespace dwell
