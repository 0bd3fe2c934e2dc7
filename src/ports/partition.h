#pragma once

#include <vector>

#include "core/fold.h"

namespace dwell {

// A partition as the pipeline holds it and a committer keeps it.
struct Partition {
  PartitionId id = 0;
  Fold fold;
  std::vector<Position> positions = {};  // of its inputs, as of the last commit
  const Unit* unit = nullptr;            // what changed since; null: nothing
};

}  // namespace dwell
