#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/mapping.h"
#include "core/name_text.h"

namespace dwell {

// The values of a record that a MemberTree asks for: a slot each, and which of them were found.
struct FoundMembers {
  std::uint64_t found = 0;  // a bit for each slot

  // Raw JSON, of one that was found.
  std::string_view token(unsigned slot) const { return {tokens_[slot].data, tokens_[slot].size}; }

  void set(std::uint64_t slots, std::string_view token) {
    found |= slots;
    for (; slots != 0; slots &= slots - 1) {
      tokens_[static_cast<std::size_t>(std::countr_zero(slots))] = {token.data(), token.size()};
    }
  }

 private:
  // Only those found have a value: to clear a kilobyte for each record takes as long as to read it.
  struct Token {
    const char* data;
    std::size_t size;
  };
  std::array<Token, 64> tokens_;
};

// A mapping, made ready to be looked up: the names of the members on the way to a wanted one, level
// by level.
class MemberTree {
 public:
  static constexpr unsigned kNoSlot = 64;
  static constexpr unsigned kNoLevel = 0;  // no level has the first one below it

  struct Name {
    NameText text;
    std::uint64_t slots = 0;    // a bit for each that its value goes to
    unsigned level = kNoLevel;  // of the wanted members below it
    std::uint64_t below = 0;    // the bits of those
  };

  struct Part {
    std::string text;  // what stands before the value of `slot`
    unsigned slot = kNoSlot;
  };
  // One way to come by a member: from the slots in `needs`, all of which must be found.
  struct Way {
    std::uint64_t needs = 0;
    unsigned only_slot = kNoSlot;  // kNoSlot: it is put together from `parts`
    std::vector<Part> parts;
  };

  // With `has_envelope` the members are looked for in `payload` too.
  MemberTree(const Mapping& mapping, bool has_envelope);

  // The name in a level, 0 for the record itself; null when nobody asks for it.
  const Name* find(unsigned level, std::string_view text) const {
    const Level& names = levels_[level];
    const std::size_t length = std::min(text.size(), Level::kLengths - 1);
    for (unsigned i = names.begin[length]; i < names.begin[length + 1]; ++i) {
      if (names.names[i].text.is(text)) return &names.names[i];
    }
    return nullptr;
  }

  // The first slot of the object that gives the three members, to be added to those of a Way.
  unsigned base(std::uint64_t found) const {
    if ((found & types_) != 0 || schema_ == kNoSlot) return 0;
    const bool has_payload = (found >> schema_ & 1) != 0 && (found & types_ << size_) != 0;
    return has_payload ? size_ : 0;
  }

  const std::vector<Way>& device_id() const { return device_id_; }
  const std::vector<Way>& event_type() const { return event_type_; }
  const std::vector<Way>& timestamp() const { return timestamp_; }

  // The slots that a mapping takes, at most kMostSlots for one that can be looked up.
  static constexpr std::size_t kMostSlots = 31;
  static std::size_t slots_of(const Mapping& mapping);

 private:
  struct Level {
    static constexpr std::size_t kLengths = 32;  // longer names stand with the longest
    std::vector<Name> names;                     // by length
    std::array<std::uint8_t, kLengths + 1> begin{};
  };

  void add(const std::vector<std::string>& path, unsigned slot);
  std::uint64_t index_level(unsigned level);

  std::vector<Level> levels_;
  std::vector<Way> device_id_;
  std::vector<Way> event_type_;
  std::vector<Way> timestamp_;
  std::uint64_t types_ = 0;  // the slots of event types in the record itself
  unsigned size_ = 0;        // slots of one object
  unsigned schema_ = kNoSlot;
};

}  // namespace dwell
