#pragma once

#include <string>
#include <utility>

#include "app/process/metrics.h"
#include "ports/clock.h"
#include "ports/committer.h"

namespace dwell {

// Measures what it passes on. `task` tells committers of one process apart. Borrows all.
class TimedCommitter final : public Committer {
 public:
  TimedCommitter(Committer& inner, Clock& clock, Metrics& metrics, std::string task)
      : inner_(inner), clock_(clock), metrics_(metrics), task_(std::move(task)) {}
  ~TimedCommitter() override { metrics_.holds(task_, 0, 0); }

  Result<void> restore(std::span<Partition> partitions) override;
  Result<void> commit(std::span<const Partition> partitions) override;
  Result<void> release(std::span<const Partition> partitions) override;

 private:
  void tell_held(std::span<const Partition> partitions);

  Committer& inner_;
  Clock& clock_;
  Metrics& metrics_;
  std::string task_;
};

}  // namespace dwell
