#pragma once

#include <chrono>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "http/wire/health.h"
#include "live/intake_queue.h"
#include "ports/clock.h"
#include "ports/observer.h"

namespace dwell {

// Why the service cannot take events, from clients or from its file, or answer questions right now.
// Any thread.
class Readiness {
 public:
  // `database` is the file that is written.
  Readiness(Clock& clock, std::string database) : clock_(clock), database_(std::move(database)) {}

  void set(std::string reason);        // empty: nothing
  void set_input(std::string reason);  // the same of the file that is followed
  // A question failed. What does not pass by itself, such as damage, is told from then on: other
  // questions may be answered all the same.
  void question_failed(const Error& error);
  // The pipeline goes on. Where it does not for long, it waits for a disk that hangs.
  void goes_on();
  Health health() const;

 private:
  std::chrono::seconds standstill() const;

  Clock& clock_;
  const std::string database_;
  mutable std::mutex mutex_;
  std::string reason_ = "restoring the committed state";
  std::string input_reason_;
  std::string damage_;                               // that a question met
  std::optional<std::chrono::nanoseconds> went_on_;  // last; empty: is not meant to go on yet
};

// Hands what the pipeline did to those who wait for it: posters, readiness, the log. Borrows all.
class ServiceObserver final : public Observer {
 public:
  ServiceObserver(IntakeQueue& queue, Readiness& readiness)
      : queue_(queue), readiness_(readiness) {}

  void polling() override;
  void committed(const Unit& unit) override;
  void retrying(const Error& error, Milliseconds wait) override;
  void recovered() override;
  void restored(const Error& cause) override;

  // Events are taken from here on.
  void become_well();

 private:
  IntakeQueue& queue_;
  Readiness& readiness_;
  bool is_well_ = true;
};

}  // namespace dwell
