#pragma once

#include <cstdint>
#include <vector>

#include "live/intake_queue.h"
#include "ports/observer.h"

namespace dwell {

// Opens the queue when what it takes can be committed. To be told before anybody says so.
class QueueOpener final : public Observer {
 public:
  explicit QueueOpener(IntakeQueue& queue) : queue_(queue) {}

  void observe(const Observation& observation) override;

 private:
  IntakeQueue& queue_;
};

// Answers those who submitted through the queue when what they sent is committed, and closes the
// queue while nothing can be. To be told behind all that who is answered may ask for, and behind
// whoever reads the records: their bytes go with the answer.
class QueueObserver final : public Observer {
 public:
  explicit QueueObserver(IntakeQueue& queue) : queue_(queue) {}

  void observe(const Observation& observation) override;

 private:
  IntakeQueue& queue_;
  std::vector<std::uint32_t> known_late_;  // scratch
};

}  // namespace dwell
