#pragma once

#include <chrono>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ports/clock.h"
#include "ports/observer.h"

namespace dwell {

// What keeps the embedded service from taking events or answering questions, besides what its
// runner tells: a file that cannot be read, a disk that hangs, damage. Any thread.
class Readiness final : public Observer {
 public:
  // `database` is the file that is written.
  Readiness(Clock& clock, std::string database) : clock_(clock), database_(std::move(database)) {}

  // Why the file that is followed cannot be read; empty: it can.
  void set_input(std::string reason);
  // A question failed. What does not pass by itself, such as damage, is told from then on: other
  // questions may be answered all the same.
  void question_failed(const Error& error);
  // Whatever happens shows that the runner goes on. Where nothing does for long, it waits for a
  // disk that hangs.
  void observe(const Observation& observation) override;

  std::vector<std::string> reasons() const;

 private:
  std::chrono::seconds standstill() const;

  Clock& clock_;
  const std::string database_;
  mutable std::mutex mutex_;
  std::string input_reason_;
  std::string damage_;                               // that a question met
  std::optional<std::chrono::nanoseconds> went_on_;  // last; empty: is not meant to go on yet
};

}  // namespace dwell
