#include "live/queue_observer.h"

namespace dwell {

void QueueObserver::observe(const Observation& observation) {
  if (const auto* committed = std::get_if<Committed>(&observation)) {
    for (const Partition& partition : committed->folds) {
      if (!partition.unit) continue;
      // A live source puts the queue's records last.
      const auto outcomes = std::span(partition.unit->outcomes).last(queue_.polled());
      const auto first =
          static_cast<std::uint32_t>(partition.unit->outcomes.size() - outcomes.size());
      known_late_.clear();
      for (const std::uint32_t record : committed->known_late) {
        if (record >= first) known_late_.push_back(record - first);
      }
      queue_.committed(outcomes, known_late_);
    }
  } else if (const auto* retrying = std::get_if<Retrying>(&observation)) {
    queue_.close({ErrorKind::retry_later, retrying->error.message});
    // These are tried again all the same, and may well be stored after their answer.
    queue_.give_up_polled({ErrorKind::unknown_outcome, retrying->error.message});
  }
}

void QueueOpener::observe(const Observation& observation) {
  if (std::holds_alternative<Ready>(observation) ||
      std::holds_alternative<Recovered>(observation) ||
      std::holds_alternative<WentBack>(observation)) {
    queue_.open();
  }
}

}  // namespace dwell
