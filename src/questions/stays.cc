#include "questions/stays.h"

#include <algorithm>

namespace dwell {

Milliseconds clipped(const Stay& stay, Timestamp start, Timestamp end) {
  if (!stay.enter) return Milliseconds{0};
  const auto from = std::max(start, *stay.enter);
  const auto to = std::min(end, stay.exit.value_or(end));
  return std::max(Milliseconds{0}, to - from);
}

bool StayFold::carry(std::span<const Row> newest_first) {
  for (const Row& row : newest_first) {
    if (is_carried_) break;
    if (!row.other_type.empty()) continue;
    is_carried_ = head_ && head_->type != row.type;
    if (!is_carried_) head_ = row;
  }
  return is_carried_;
}

void StayFold::add(const Row& row) {
  if (!row.other_type.empty() || (head_ && head_->type == row.type)) return;
  if (row.type == EventType::exit) {
    ended_.push_back({head_ ? std::optional(head_->timestamp) : std::nullopt, row.timestamp});
  }
  head_ = row;
}

Standing StayFold::standing() const {
  if (!head_) return Standing::unknown;
  return head_->type == EventType::enter ? Standing::inside : Standing::outside;
}

std::vector<Stay> StayFold::stays() const {
  auto all = ended_;
  if (standing() == Standing::inside) all.push_back({head_->timestamp, std::nullopt});
  return all;
}

}  // namespace dwell
