#include "kafka/flow/hop_order.h"

#include <algorithm>
#include <functional>

#include "base/check.h"

namespace dwell {

void HopOrder::open(PartitionId partition, Moment now) {
  Lane& lane = lanes_[partition];
  lane = {};
  lane.moved = now;
}

void HopOrder::close(PartitionId partition) {
  lanes_.erase(partition);
}

void HopOrder::add(PartitionId partition, const HopRecord& record, Moment now) {
  Lane& lane = lanes_.at(partition);
  lane.records.push_back(record);
  lane.bytes += record.bytes;
  lane.moved = now;
}

void HopOrder::set_at_end(PartitionId partition, bool is_at_end) {
  lanes_.at(partition).is_at_end = is_at_end;
}

void HopOrder::begin(Moment now) {
  now_ = now;
  is_waiting_ = only_fresh_ = false;
  heads_.clear();
  for (const auto& [partition, lane] : lanes_) {
    if (!lane.records.empty()) {
      add_head(partition, lane);
    } else if (!lane.is_at_end && now - lane.moved < kPatience) {
      is_waiting_ = true;
    }
  }
}

std::optional<PartitionId> HopOrder::next() {
  if (is_waiting_ && !only_fresh_) keep_fresh_heads();
  if (heads_.empty()) return std::nullopt;
  std::pop_heap(heads_.begin(), heads_.end(), std::greater<>());
  const PartitionId partition = heads_.back().partition;
  heads_.pop_back();
  Lane& lane = lanes_.at(partition);
  CHECK(!lane.records.empty());
  lane.bytes -= lane.records.front().bytes;
  lane.records.pop_front();
  if (lane.records.empty()) {
    lane.moved = now_;
    if (!lane.is_at_end) is_waiting_ = true;
  } else if (!only_fresh_ || lane.records.front().is_fresh) {
    add_head(partition, lane);
  }
  return partition;
}

bool HopOrder::is_full(PartitionId partition) {
  Lane& lane = lanes_.at(partition);
  const std::size_t share = bytes_ / lanes_.size();
  lane.is_full = lane.bytes > (lane.is_full ? share / 2 : share);
  return lane.is_full;
}

void HopOrder::add_head(PartitionId partition, const Lane& lane) {
  heads_.push_back({lane.records.front().own, partition});
  std::push_heap(heads_.begin(), heads_.end(), std::greater<>());
}

void HopOrder::keep_fresh_heads() {
  only_fresh_ = true;
  std::erase_if(heads_, [&](const Head& head) {
    return !lanes_.at(head.partition).records.front().is_fresh;
  });
  std::make_heap(heads_.begin(), heads_.end(), std::greater<>());
}

}  // namespace dwell
