#pragma once

#include <vector>

#include "ports/observer.h"

namespace dwell {

// Keeps what the pipeline told, for a test to look at afterwards.
class RecordingObserver final : public Observer {
 public:
  void committed(const Unit& unit) override {
    ++commits;
    committed_records += unit.records.size();
  }
  void retrying(const Error& error, Milliseconds wait) override {
    retries.push_back(error);
    waits.push_back(wait);
  }
  void recovered() override { ++recoveries; }
  void restored(const Error& cause) override { restores.push_back(cause); }

  std::size_t commits = 0;
  std::size_t committed_records = 0;
  std::vector<Error> retries;
  std::vector<Milliseconds> waits;
  std::size_t recoveries = 0;
  std::vector<Error> restores;
};

}  // namespace dwell
