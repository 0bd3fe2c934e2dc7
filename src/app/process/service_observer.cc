#include "app/process/service_observer.h"

#include <span>
#include <spdlog/spdlog.h>
#include <utility>

#include "app/settings/units.h"

namespace dwell {
namespace {

constexpr std::chrono::seconds kHangs{5};  // what neither ends nor fails for so long

}  // namespace

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

void Readiness::goes_on() {
  const std::lock_guard lock(mutex_);
  const auto stood = standstill();
  if (stood >= kHangs) spdlog::warn("{}: going on after {} s", database_, stood.count());
  went_on_ = clock_.monotonic();
}

// With the lock.
std::chrono::seconds Readiness::standstill() const {
  if (!went_on_) return {};
  return std::chrono::duration_cast<std::chrono::seconds>(clock_.monotonic() - *went_on_);
}

Health Readiness::health() const {
  const std::lock_guard lock(mutex_);
  Health health;
  for (const std::string& reason : {reason_, input_reason_}) {
    if (!reason.empty()) health.not_ready_because.push_back(reason);
  }
  if (const auto stood = standstill(); stood >= kHangs) {
    health.not_ready_because.push_back(fmt::format(
        "{}: nothing was committed for {} s, and what is sent has to wait: its disk, or that of "
        "the input, does not answer; see the disk: it goes on by itself",
        database_, stood.count()));
  }
  if (!damage_.empty()) health.not_ready_because.push_back("questions fail: " + damage_);
  return health;
}

void ServiceObserver::polling() {
  readiness_.goes_on();
}

void ServiceObserver::committed(const Unit& unit) {
  queue_.committed(std::span(unit.outcomes).last(queue_.polled()));
}

void ServiceObserver::recovered() {
  if (!is_well_) spdlog::info("committing again");
  become_well();
}

void ServiceObserver::retrying(const Error& error, Milliseconds wait) {
  readiness_.goes_on();
  readiness_.set(error.message);
  queue_.close({ErrorKind::retry_later, error.message});
  // Told once that is so: who reads the log may ask at once.
  if (is_well_) spdlog::warn("{}; trying again every {}", error.message, format_duration(wait));
  is_well_ = false;
  // These are tried again all the same, and may well be stored after their answer.
  queue_.give_up_polled({ErrorKind::unknown_outcome, error.message});
}

void ServiceObserver::restored(const Error& cause) {
  spdlog::warn("{}; went back to the last commit", cause.message);
  become_well();
}

void ServiceObserver::become_well() {
  is_well_ = true;
  readiness_.goes_on();
  readiness_.set("");
  queue_.open();
}

}  // namespace dwell
