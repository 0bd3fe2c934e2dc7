#pragma once

#include "ports/clock.h"
#include "ports/committer.h"
#include "ports/stage.h"

namespace dwell {

// Folds each partition by the rule, and commits what changed. Owns the partitions and their folds;
// borrows everything else.
class FoldStage final : public Stage {
 public:
  FoldStage(Committer& committer, Clock& clock, const Rule& rule, std::uint64_t hash_seed)
      : committer_(committer), clock_(clock), rule_(rule), hash_seed_(hash_seed) {}

  Result<Ready> restore(std::span<const PartitionId> partitions) override;
  Result<void> seek(Source& source, std::span<const PartitionId> partitions) override;
  Result<void> take(const Batch& batch) override;
  Result<Committed> commit() override;
  Result<void> give_up(std::span<const PartitionId> partitions, bool were_taken) override;

  // Those held now.
  const std::vector<Partition>& partitions() const { return partitions_; }

 private:
  std::span<Partition> move_last(std::span<const PartitionId> ids);
  Partition* find(PartitionId id);
  std::size_t device_count() const;
  std::size_t state_bytes() const;

  Committer& committer_;
  Clock& clock_;
  Rule rule_;
  std::uint64_t hash_seed_;
  std::vector<Partition> partitions_;  // their units: of the last batch
};

}  // namespace dwell
