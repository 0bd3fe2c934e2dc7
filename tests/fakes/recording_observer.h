#pragma once

#include <vector>

#include "ports/observer.h"

namespace dwell {

// Keeps what the pipeline told, for a test to look at afterwards.
class RecordingObserver final : public Observer {
 public:
  void observe(const Observation& observation) override {
    if (const auto* committed = std::get_if<Committed>(&observation)) {
      for (const Partition& partition : committed->folds) {
        if (!partition.unit) continue;
        ++commits;
        committed_records += partition.unit->records.size();
      }
    } else if (const auto* retrying = std::get_if<Retrying>(&observation)) {
      retries.push_back(retrying->error);
      waits.push_back(retrying->wait);
    } else if (std::holds_alternative<Recovered>(observation)) {
      ++recoveries;
    } else if (const auto* back = std::get_if<WentBack>(&observation)) {
      restores.push_back(back->cause);
    }
  }

  std::size_t commits = 0;
  std::size_t committed_records = 0;
  std::vector<Error> retries;
  std::vector<Milliseconds> waits;
  std::size_t recoveries = 0;
  std::vector<Error> restores;
};

}  // namespace dwell
