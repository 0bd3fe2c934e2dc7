#pragma once

#include <span>

#include "ports/observer.h"
#include "ports/source.h"

namespace dwell {

// What one stream does with what it reads: fold it, store it, copy it. A runner (runner.h) owns the
// order of the calls, the waits and what is done about an error. One thread.
//
// Law: restore() and seek() of the same partitions give the state and the place of the last commit,
// at any time. After take() and a commit() that failed with retry_later, commit() may be called
// again.
class Stage {
 public:
  virtual ~Stage() = default;

  // Reads what is committed of partitions that came, or that go back. May be called again.
  virtual Result<Ready> restore(std::span<const PartitionId> partitions) = 0;
  // Lets `source` go on behind what is committed of them.
  virtual Result<void> seek(Source& source, std::span<const PartitionId> partitions) = 0;

  // Works the slices in, or makes them ready.
  virtual Result<void> take(const Batch& batch) = 0;
  // Makes durable what was taken, or hands it over. Called without anything new, too.
  virtual Result<Committed> commit() = 0;
  // Waits for what was handed over. Called before partitions change and at the end.
  virtual Result<Committed> finish() { return Committed{}; }

  // Lets partitions go. `were_taken`: somebody else may own them already.
  virtual Result<void> give_up(std::span<const PartitionId> /*partitions*/, bool /*were_taken*/) {
    return {};
  }
};

}  // namespace dwell
