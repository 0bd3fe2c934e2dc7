#pragma once

#include <cstdint>
#include <span>

#include "base/result.h"
#include "ports/partition.h"
#include "ports/traced_record.h"

namespace dwell {

// What the last commit did beside its units.
struct CommitCounts {
  std::uint64_t checkpoints = 0;      // of partitions
  std::uint64_t rejects_kept = 0;     // rejected records that were kept
  std::uint64_t rejects_dropped = 0;  // kept ones that were dropped for a bound
};

// Where units go: rows, device states, totals, rejected records and input positions, together, of
// all partitions at once. One thread at a time.
//
// Law: after commit() returned ok, restore() in any process gives the state after its units. After
// any error but `unknown_outcome` it gives the state before them, and the same commit may be tried
// again; after `unknown_outcome` only restore() is legal.
class Committer {
 public:
  virtual ~Committer() = default;

  // Fills the folds, which are empty, with the committed states and totals, and the positions.
  // Called first for every partition, and again after a commit failed.
  virtual Result<void> restore(std::span<Partition> partitions) = 0;

  // Makes the units durable. The folds are those that returned them, not moved on since: the place
  // to encode the states of unit->touched from. `partitions` are all that were restored; without
  // any unit it is the moment for what a committer has to do now and then.
  virtual Result<void> commit(std::span<const Partition> partitions) = 0;

  // Of the last commit's unit: the indices of the records that were too_late although the rows show
  // what they say, each a row itself or only a repeat of one. Those are not kept as rejected. Of a
  // committer that can see its rows; valid until the next call.
  virtual std::span<const std::uint32_t> known_late() const { return {}; }

  // Of the last commit's units: the records that belong to a trace, partition by partition, in
  // order. Valid until the next call.
  virtual std::span<const TracedRecord> traced() const { return {}; }

  virtual CommitCounts counts() const { return {}; }

  // Keeps what must be kept of partitions that somebody else takes over; they may be restored
  // again. Nothing of them is uncommitted.
  virtual Result<void> release(std::span<const Partition> /*partitions*/) { return {}; }
};

}  // namespace dwell
