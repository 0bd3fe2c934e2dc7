#include "app/process/readiness.h"

#include <spdlog/spdlog.h>
#include <utility>

namespace dwell {
namespace {

constexpr std::chrono::seconds kHangs{5};  // what neither ends nor fails for so long

}  // namespace

void Readiness::set_input(std::string reason) {
  const std::lock_guard lock(mutex_);
  input_reason_ = std::move(reason);
}

void Readiness::question_failed(const Error& error) {
  if (error.kind != ErrorKind::invalid && error.kind != ErrorKind::fatal) return;
  const std::lock_guard lock(mutex_);
  if (damage_.empty()) {
    spdlog::error("{}: questions fail until this is mended and Dwell is started again",
                  error.message);
  }
  damage_ = error.message;
}

void Readiness::observe(const Observation& /*observation*/) {
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

std::vector<std::string> Readiness::reasons() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> reasons;
  if (!input_reason_.empty()) reasons.push_back(input_reason_);
  if (const auto stood = standstill(); stood >= kHangs) {
    reasons.push_back(fmt::format(
        "{}: nothing was committed for {} s, and what is sent has to wait: its disk, or that of "
        "the input, does not answer; see the disk: it goes on by itself",
        database_, stood.count()));
  }
  if (!damage_.empty()) reasons.push_back("questions fail: " + damage_);
  return reasons;
}

}  // namespace dwell
