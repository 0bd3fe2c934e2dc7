#pragma once

#include <stop_token>
#include <vector>

#include "ports/clock.h"
#include "ports/stage.h"

namespace dwell {

struct RunnerOptions {
  std::vector<PartitionId> partitions = {0};  // held from the start; others come with the source
  Milliseconds first_retry{50};               // doubled at each further try, up to longest_retry
  Milliseconds longest_retry{5'000};
  // Of failing tries in a row: then the error is returned. 0: nothing is tried again.
  Milliseconds give_up_after{30'000};
};

// The one loop of every stream: poll -> take -> commit, and the only place that reacts to an error
// kind.
//
//   retry_later               the same step again, after a growing wait
//   aborted, unknown_outcome  restore and seek what is held, then go on
//   every other kind          returned to the caller; nothing half done is left behind
//
// Borrows everything. One thread. Where partitions are held from the start, call restore() once,
// then run() for one source after another.
class Runner {
 public:
  Runner(Stage& stage, Clock& clock, Observer& observer, RunnerOptions options);

  // Reads the committed state of `options.partitions`; patience starts anew. Errors: those of the
  // stage.
  Result<void> restore(const std::stop_token& stop = {});

  // Runs `source` from its committed position until its last batch is committed or `stop` is asked
  // for (then what was polled is still committed, unless its commit keeps failing). After an error
  // the stage may be ahead of what is committed: call restore() before anything else.
  Result<void> run(Source& source, const std::stop_token& stop);

  // Gives all partitions up; restore() is needed before anything else.
  Result<void> release();

 private:
  Result<Ready> load(std::span<const PartitionId> partitions, const std::stop_token& stop);
  Result<void> step(Source& source, const std::stop_token& stop, bool& is_done);
  Result<void> change_partitions(Source& source, const Batch& batch, const std::stop_token& stop);
  Result<void> commit(const Batch& batch, const std::stop_token& stop);
  Result<void> finish(const Batch& batch);
  void tell(Committed committed, const Batch& batch);
  Result<void> go_back(Source& source, const std::stop_token& stop, const Error& cause);
  bool wait_to_retry(const std::stop_token& stop, const Error& error);

  Stage& stage_;
  Clock& clock_;
  Observer& observer_;
  RunnerOptions options_;
  std::vector<PartitionId> held_;
  Milliseconds retry_wait_{0};
  std::chrono::nanoseconds failing_since_{0};
  std::chrono::nanoseconds polled_at_{0};
};

}  // namespace dwell
