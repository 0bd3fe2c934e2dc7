#include "kafka/flow/checkpoints.h"

#include <algorithm>

namespace dwell {

std::vector<PartitionId> due_checkpoints(std::span<const Partition> partitions,
                                         const std::map<PartitionId, Unsaved>& unsaved,
                                         const CheckpointLimits& limits,
                                         std::chrono::nanoseconds now) {
  using Candidate = std::pair<PartitionId, const Unsaved*>;
  std::vector<Candidate> candidates;
  std::uint64_t records = 0;
  std::size_t devices = 0;
  std::uint64_t bytes = 0;
  for (const Partition& partition : partitions) {
    const Unsaved& one = unsaved.at(partition.id);
    if (!one.is_anything) continue;
    candidates.emplace_back(partition.id, &one);
    records += one.records;
    devices += one.devices.list().size();
    bytes += one.bytes;
  }
  std::vector<PartitionId> due;
  std::size_t chosen = 0;  // devices
  std::uint64_t chosen_bytes = 0;
  const auto choose = [&](const Candidate& candidate) {
    const std::size_t more = candidate.second->devices.list().size();
    const bool is_in = std::find(due.begin(), due.end(), candidate.first) != due.end();
    const bool is_too_much =
        chosen + more > limits.devices || chosen_bytes + candidate.second->bytes > limits.bytes;
    if (is_in || (!due.empty() && is_too_much)) return;
    due.push_back(candidate.first);
    chosen += more;
    chosen_bytes += candidate.second->bytes;
  };
  // An offset without a marker cannot be gone on from.
  for (const auto& [id, one] : candidates) {
    if (one->has_marker) continue;
    due.push_back(id);
    chosen += one->devices.list().size();
    chosen_bytes += one->bytes;
  }
  if (records >= limits.records && !candidates.empty()) {
    choose(*std::max_element(
        candidates.begin(), candidates.end(),
        [](const auto& a, const auto& b) { return a.second->records < b.second->records; }));
  }
  if (devices >= limits.devices && !candidates.empty()) {
    choose(
        *std::max_element(candidates.begin(), candidates.end(), [](const auto& a, const auto& b) {
          return a.second->devices.list().size() < b.second->devices.list().size();
        }));
  }
  if (bytes >= limits.bytes && !candidates.empty()) {
    choose(*std::max_element(
        candidates.begin(), candidates.end(),
        [](const auto& a, const auto& b) { return a.second->bytes < b.second->bytes; }));
  }
  for (const Candidate& candidate : candidates) {
    const Unsaved& one = *candidate.second;
    if (now - one.since >= limits.interval || now - one.changed >= limits.idle) choose(candidate);
  }
  return due;
}

}  // namespace dwell
