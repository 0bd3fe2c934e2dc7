#pragma once

#include <optional>
#include <stop_token>
#include <vector>

#include "core/fold.h"
#include "ports/clock.h"
#include "ports/committer.h"
#include "ports/observer.h"
#include "ports/source.h"

namespace dwell {

struct PipelineOptions {
  Rule rule;
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
// Owns the fold; borrows everything else. One thread. Call restore() once, then run() for one
// source after another.
class Pipeline {
 public:
  Pipeline(Committer& committer, Clock& clock, Observer& observer, const PipelineOptions& options);

  // Reads the committed state; patience starts anew. Errors: those of the committer.
  Result<void> restore(std::stop_token stop = {});

  // Runs `source` from its committed position until its last batch is committed or `stop` is asked
  // for (then what was polled is still committed, unless its commit keeps failing). After an error
  // the fold may be ahead of what is committed: call restore() before anything else.
  Result<void> run(Source& source, std::stop_token stop);

  const Fold& fold() const { return *fold_; }
  // Of all inputs, as of the last commit.
  const std::vector<Position>& positions() const { return positions_; }

 private:
  Result<void> load(const std::stop_token& stop);
  Result<void> step(Source& source, const std::stop_token& stop, bool& is_done);
  Result<void> go_back(Source& source, const std::stop_token& stop, const Error& cause);
  bool wait_to_retry(const std::stop_token& stop, const Error& error);

  Committer& committer_;
  Clock& clock_;
  Observer& observer_;
  PipelineOptions options_;
  std::optional<Fold> fold_;
  std::vector<Position> positions_;
  Milliseconds retry_wait_{0};
  std::chrono::nanoseconds failing_since_{0};
};

}  // namespace dwell
