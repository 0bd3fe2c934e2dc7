#pragma once

#include "pipeline/fold_stage.h"
#include "pipeline/runner.h"

namespace dwell {

struct PipelineOptions : RunnerOptions {
  Rule rule;
  std::uint64_t hash_seed = 0;
};

// A runner whose stage folds: from a source's records to a committer's units.
class Pipeline {
 public:
  Pipeline(Committer& committer, Clock& clock, Observer& observer, const PipelineOptions& options)
      : stage_(committer, clock, options.rule, options.hash_seed),
        runner_(stage_, clock, observer, options) {}
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  // As of Runner.
  Result<void> restore(const std::stop_token& stop = {}) { return runner_.restore(stop); }
  Result<void> run(Source& source, const std::stop_token& stop) {
    return runner_.run(source, stop);
  }
  Result<void> release() { return runner_.release(); }

  // Those held now. A source that has one partition finds partition 0 here from restore() on.
  const std::vector<Partition>& partitions() const { return stage_.partitions(); }

 private:
  FoldStage stage_;
  Runner runner_;
};

}  // namespace dwell
