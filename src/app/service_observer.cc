#include "app/service_observer.h"

#include <span>
#include <spdlog/spdlog.h>
#include <utility>

#include "app/units.h"

namespace dwell {

void Readiness::set(std::string reason) {
  const std::lock_guard lock(mutex_);
  reason_ = std::move(reason);
}

void Readiness::set_input(std::string reason) {
  const std::lock_guard lock(mutex_);
  input_reason_ = std::move(reason);
}

void Readiness::question_failed(const Error& error) {
  if (error.kind != ErrorKind::invalid && error.kind != ErrorKind::fatal) return;
  const std::lock_guard lock(mutex_);
  if (damage_.empty())
    spdlog::error("{}: questions fail; start anew once it is mended", error.message);
  damage_ = error.message;
}

Health Readiness::health() const {
  const std::lock_guard lock(mutex_);
  Health health;
  for (const std::string& reason : {reason_, input_reason_}) {
    if (!reason.empty()) health.not_ready_because.push_back(reason);
  }
  if (!damage_.empty()) health.not_ready_because.push_back("questions fail: " + damage_);
  return health;
}

void ServiceObserver::committed(const Unit& unit) {
  queue_.committed(std::span(unit.outcomes).last(queue_.polled()));
}

void ServiceObserver::recovered() {
  if (!is_well_) spdlog::info("committing again");
  become_well();
}

void ServiceObserver::retrying(const Error& error, Milliseconds wait) {
  if (is_well_) spdlog::warn("{}; trying again every {}", error.message, format_duration(wait));
  is_well_ = false;
  readiness_.set(error.message);
  queue_.close({ErrorKind::retry_later, error.message});
  // These are tried again all the same, and may well be stored after their answer.
  queue_.give_up_polled({ErrorKind::unknown_outcome, error.message});
}

void ServiceObserver::restored(const Error& cause) {
  spdlog::warn("{}; went back to the last commit", cause.message);
  become_well();
}

void ServiceObserver::become_well() {
  is_well_ = true;
  readiness_.set("");
  queue_.open();
}

}  // namespace dwell
