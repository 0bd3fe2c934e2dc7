#include "core/member_tree.h"

#include <algorithm>

#include "base/check.h"

namespace dwell {
namespace {

using Path = std::vector<std::string>;

// Each different pointer once, and the ways that go by their numbers.
class Slots {
 public:
  std::vector<MemberTree::Way> ways(const std::vector<std::string>& places, bool is_id) {
    std::vector<MemberTree::Way> ways;
    for (const auto& place : places) {
      MemberTree::Way way;
      for (auto& part : parts_of_place(place, is_id)) {
        if (part.names.empty()) {
          way.parts.push_back({std::move(part.text), MemberTree::kNoSlot});
          continue;
        }
        const unsigned slot = slot_of(part.names);
        way.needs |= std::uint64_t{1} << slot;
        way.parts.push_back({{}, slot});
      }
      if (way.parts.size() == 1) way.only_slot = way.parts.front().slot;
      ways.push_back(std::move(way));
    }
    return ways;
  }

  const std::vector<Path>& paths() const { return paths_; }

 private:
  unsigned slot_of(const Path& path) {
    const auto found = std::find(paths_.begin(), paths_.end(), path);
    const auto slot = static_cast<unsigned>(found - paths_.begin());
    if (found == paths_.end()) paths_.push_back(path);
    return slot;
  }

  std::vector<Path> paths_;
};

}  // namespace

MemberTree::MemberTree(const Mapping& mapping, bool has_envelope) : levels_(1) {
  CHECK(slots_of(mapping) <= kMostSlots);
  Slots slots;
  device_id_ = slots.ways(mapping.device_id, true);
  event_type_ = slots.ways(mapping.event_type, false);
  timestamp_ = slots.ways(mapping.timestamp, false);
  for (const Way& way : event_type_) types_ |= way.needs;
  size_ = static_cast<unsigned>(slots.paths().size());
  for (unsigned slot = 0; slot < size_; ++slot) add(slots.paths()[slot], slot);
  if (has_envelope) {
    for (unsigned slot = 0; slot < size_; ++slot) {
      Path path = slots.paths()[slot];
      path.insert(path.begin(), "payload");
      add(path, size_ + slot);
    }
    schema_ = 2 * size_;
    add({"schema"}, schema_);
  }
  index_level(0);
}

std::size_t MemberTree::slots_of(const Mapping& mapping) {
  std::size_t count = 0;
  for (const auto* places : {&mapping.device_id, &mapping.event_type, &mapping.timestamp}) {
    for (const auto& place : *places) {
      for (const auto& part : parts_of_place(place, places == &mapping.device_id)) {
        if (!part.names.empty()) ++count;
      }
    }
  }
  return count;
}

void MemberTree::add(const std::vector<std::string>& path, unsigned slot) {
  unsigned level = 0;
  for (std::size_t i = 0;; ++i) {
    auto& names = levels_[level].names;
    auto name = std::find_if(names.begin(), names.end(),
                             [&](const Name& one) { return one.text.is(path[i]); });
    if (name == names.end()) name = names.insert(names.end(), Name{NameText(path[i])});
    if (i + 1 == path.size()) {
      name->slots |= std::uint64_t{1} << slot;
      return;
    }
    if (name->level == kNoLevel) name->level = static_cast<unsigned>(levels_.size());
    level = name->level;
    if (level == levels_.size()) levels_.emplace_back();
  }
}

// Returns the bits of all slots in and below the level.
std::uint64_t MemberTree::index_level(unsigned level) {
  Level& names = levels_[level];
  const auto length = [](const Name& name) {
    return std::min(name.text.text().size(), Level::kLengths - 1);
  };
  std::stable_sort(names.names.begin(), names.names.end(),
                   [&](const Name& a, const Name& b) { return length(a) < length(b); });
  CHECK(names.names.size() < UINT8_MAX);
  for (std::size_t i = 0; i <= Level::kLengths; ++i) {
    names.begin[i] = static_cast<std::uint8_t>(
        std::count_if(names.names.begin(), names.names.end(),
                      [&](const Name& name) { return length(name) < i; }));
  }
  std::uint64_t all = 0;
  for (Name& name : names.names) {
    if (name.level != kNoLevel) name.below = index_level(name.level);
    all |= name.slots | name.below;
  }
  return all;
}

}  // namespace dwell
