#pragma once

#include <chrono>
#include <span>
#include <variant>

#include "base/result.h"
#include "ports/committer.h"
#include "ports/partition.h"
#include "ports/row_counts.h"
#include "ports/source.h"
#include "ports/traced_record.h"

namespace dwell {

// What a runner (pipeline/runner.h) and its stage did, told after it happened. References and spans
// are valid while they are told.

// The next records are asked for: what was read before is durable, or handed over.
struct Polling {};

// Partitions came. They are restored next.
struct Gained {
  std::span<const PartitionId> partitions;
};

// Partitions went, and what they held was committed if it could be.
struct Lost {
  std::span<const PartitionId> partitions;
  bool were_taken;  // the group gave them to another one before
};

// Partitions that came are restored.
struct Ready {
  std::span<const Partition> folds = {};  // of a stage that folds: those that came
  std::size_t devices = 0;                // of such a stage, of all that it holds
  std::size_t state_bytes = 0;            // of such a stage: memory of what it holds of devices
  std::size_t partitions = 0;             // that are held now
  std::chrono::nanoseconds took{};        // to restore them, tries that failed included
};

// A step is done.
struct Committed {
  bool has_batch = false;                          // else nothing new became durable
  std::chrono::nanoseconds took{};                 // for the batch
  std::span<const Partition> folds = {};           // of a stage that folds: all, with what changed
  std::size_t devices = 0;                         // of such a stage
  std::size_t state_bytes = 0;                     // of such a stage
  CommitCounts kept = {};                          // of such a stage: Committer::counts()
  std::span<const std::uint32_t> known_late = {};  // of such a stage: Committer::known_late()
  std::uint64_t changes = 0;  // of another stage: of rows, devices or copies that are stored now
  std::uint64_t not_cleaned = 0;              // of such a stage: records that were no change
  RowCounts rows = {};                        // of such a stage, where it stores rows
  std::span<const Timestamp> row_times = {};  // of the rows inserted, those of such a stage
  std::span<const TracedRecord> traced = {};  // of what is durable now
  std::uint64_t records = 0;                  // of the batch that was read last
  std::chrono::nanoseconds since_poll{};      // since its records, or the latest, were read
  bool is_pending = false;                    // something was handed over that is not durable yet
  // How the reader is.
  std::size_t partitions = 0;
  bool has_joined = false;
  bool is_at_end = false;  // and nothing is pending
  // What was read, durable or pending; of a stage that holds some of it back, what is not.
  std::span<const PartitionNext> nexts = {};
};

// A try to commit failed.
struct CommitFailed {
  const Error& error;
};

// A step failed, and is tried again after `wait`.
struct Retrying {
  const Error& error;
  Milliseconds wait;
};

// What was tried again has worked.
struct Recovered {};

// State and position went back to the last commit.
struct WentBack {
  const Error& cause;
};

using Observation = std::variant<Polling, Gained, Lost, Ready, Committed, CommitFailed, Retrying,
                                 Recovered, WentBack>;

// Told what happened; cannot change it. Called on the runner's thread.
class Observer {
 public:
  virtual ~Observer() = default;

  virtual void observe(const Observation& observation) = 0;
};

}  // namespace dwell
