#pragma once

#include <span>
#include <utility>
#include <vector>

#include "ports/committer.h"

namespace dwell {

// A committer of one partition, used with a fold and a unit of the test's own.
inline Result<std::vector<Position>> restore_one(Committer& committer, Fold& fold) {
  Partition partition{0, std::move(fold)};
  auto restored = committer.restore({&partition, 1});
  fold = std::move(partition.fold);
  if (!restored) return pass(restored);
  return std::move(partition.positions);
}

inline Result<void> commit_one(Committer& committer, const Unit& unit, Fold& after) {
  Partition partition{0, std::move(after), {}, &unit};
  auto committed = committer.commit({&partition, 1});
  after = std::move(partition.fold);
  return committed;
}

}  // namespace dwell
