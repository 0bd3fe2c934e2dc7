#pragma once

#include "live/intake_queue.h"
#include "ports/observer.h"

namespace dwell {

// Answers those who submitted through the queue when what they sent is committed, and closes the
// queue while nothing can be.
class QueueObserver final : public Observer {
 public:
  explicit QueueObserver(IntakeQueue& queue) : queue_(queue) {}

  void observe(const Observation& observation) override;

 private:
  IntakeQueue& queue_;
};

}  // namespace dwell
