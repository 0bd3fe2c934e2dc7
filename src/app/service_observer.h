#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "app/metrics.h"
#include "live/intake_queue.h"
#include "ports/clock.h"
#include "ports/committer.h"
#include "ports/observer.h"

namespace dwell {

// Why the service cannot take events right now. Any thread.
class Readiness {
 public:
  void set(std::string reason);  // empty: ready
  std::vector<std::string> reasons() const;

 private:
  mutable std::mutex mutex_;
  std::string reason_ = "restoring the committed state";
};

// Hands what the pipeline did to those who wait for it: posters, readiness, the log. Borrows all.
class ServiceObserver final : public Observer {
 public:
  ServiceObserver(IntakeQueue& queue, Readiness& readiness)
      : queue_(queue), readiness_(readiness) {}

  void committed(const Unit& unit) override;
  void retrying(const Error& error, Milliseconds wait) override;
  void restored(const Error& cause) override;

  // Events are taken from here on.
  void become_well();

 private:
  IntakeQueue& queue_;
  Readiness& readiness_;
  bool is_well_ = true;
};

// Measures what it passes on. Borrows all.
class TimedCommitter final : public Committer {
 public:
  TimedCommitter(Committer& inner, Clock& clock, Metrics& metrics)
      : inner_(inner), clock_(clock), metrics_(metrics) {}

  Result<void> restore(std::span<Partition> partitions) override;
  Result<void> commit(std::span<const Partition> partitions) override;

 private:
  Committer& inner_;
  Clock& clock_;
  Metrics& metrics_;
};

}  // namespace dwell
