#pragma once

#include <stop_token>
#include <vector>

#include "ports/clock.h"
#include "ports/committer.h"
#include "ports/observer.h"
#include "ports/source.h"

namespace dwell {

struct PipelineOptions {
  Rule rule;
  std::vector<PartitionId> partitions = {0};  // held from the start; others come with the source
  std::uint64_t hash_seed = 0;
  Milliseconds first_retry{50};  // doubled at each further try, up to longest_retry
  Milliseconds longest_retry{5'000};
  Milliseconds give_up_after{30'000};  // of failing tries in a row: then the error is returned
};

// The one loop: poll -> fold -> commit, and the only place that reacts to an error kind.
//
//   retry_later               the same step again, after a growing wait
//   aborted, unknown_outcome  restore state and position from the committer, then go on
//   every other kind          returned to the caller; nothing half done is left behind
//
// Owns the partitions and their folds; borrows everything else. One thread. Call restore() once,
// then run() for one source after another.
class Pipeline {
 public:
  Pipeline(Committer& committer, Clock& clock, Observer& observer, const PipelineOptions& options);

  // Reads the committed state; patience starts anew. Errors: those of the committer.
  Result<void> restore(std::stop_token stop = {});

  // Runs `source` from its committed position until its last batch is committed or `stop` is asked
  // for (then what was polled is still committed, unless its commit keeps failing). After an error
  // the fold may be ahead of what is committed: call restore() before anything else.
  Result<void> run(Source& source, std::stop_token stop);

  // Gives all partitions up; restore() is needed before anything else.
  Result<void> release();

  // Those held now. A source that has one partition finds partition 0 here from restore() on.
  const std::vector<Partition>& partitions() const { return partitions_; }

 private:
  Result<void> load(std::span<Partition> partitions, const std::stop_token& stop);
  Result<void> seek(Source& source, std::span<const Partition> partitions);
  Result<void> step(Source& source, const std::stop_token& stop, bool& is_done);
  Result<void> change_partitions(Source& source, const Batch& batch, const std::stop_token& stop);
  Result<void> commit(const std::stop_token& stop);
  Partition fresh(PartitionId id) const;
  Partition* find(PartitionId id);
  Result<void> go_back(Source& source, const std::stop_token& stop, const Error& cause);
  bool wait_to_retry(const std::stop_token& stop, const Error& error);

  Committer& committer_;
  Clock& clock_;
  Observer& observer_;
  PipelineOptions options_;
  std::vector<Partition> partitions_;
  Milliseconds retry_wait_{0};
  std::chrono::nanoseconds failing_since_{0};
};

}  // namespace dwell
