#include "app/process/health_board.h"

#include <algorithm>
#include <spdlog/spdlog.h>

#include "app/process/topic_settings.h"

namespace dwell {
namespace {

constexpr std::size_t kEvents = 20;   // that are kept
constexpr std::uint64_t kNamed = 10;  // records whose key is wrong

}  // namespace

void HealthBoard::set(const std::string& task, std::string reason) {
  const std::lock_guard lock(mutex_);
  reasons_[task] = std::move(reason);
}

void HealthBoard::remember(const std::string& what) {
  const std::lock_guard lock(mutex_);
  const bool is_known = std::find(events_.begin(), events_.end(), what) != events_.end();
  if (!is_known && events_.size() < kEvents) events_.push_back(what);
}

void HealthBoard::warn(const std::string& task, std::string text) {
  const std::lock_guard lock(mutex_);
  std::string& known = warnings_[task];
  if (!text.empty() && known.empty()) spdlog::warn("{}: {}", task, text);
  known = std::move(text);
}

void HealthBoard::tell_miskeyed(const Partition& partition) {
  if (!partition.unit || partition.unit->miskeyed.empty()) return;
  const Unit& unit = *partition.unit;
  const std::lock_guard lock(mutex_);
  miskeyed_ += unit.miskeyed.size();
  for (const auto& [index, device] : unit.miskeyed) {
    if (first_miskeyed_.size() == kNamed) return;
    const Record& record = unit.records[index];
    first_miskeyed_.push_back(miskeyed_line(unit.positions[0].source, record.offset, record.key,
                                            partition.fold.device_id(device)));
    spdlog::warn(
        "{}: the records of a device may be in several partitions; set "
        "input.partitioned_by = none{}",
        first_miskeyed_.back(), first_miskeyed_.size() == kNamed ? "; not telling of others" : "");
  }
}

void HealthBoard::tell_foreign(const std::string& record) {
  const std::lock_guard lock(mutex_);
  ++foreign_;
  if (first_foreign_.size() == kNamed) return;
  first_foreign_.push_back(record);
  spdlog::warn("{}{}", record, first_foreign_.size() == kNamed ? "; not telling of others" : "");
}

std::size_t HealthBoard::add_check(Check check) {
  const std::lock_guard lock(checks_mutex_);
  checks_[next_check_] = std::move(check);
  return next_check_++;
}

void HealthBoard::remove_check(std::size_t number) {
  const std::lock_guard lock(checks_mutex_);
  checks_.erase(number);
}

Health HealthBoard::health() const {
  Health health = noted();
  const std::lock_guard lock(checks_mutex_);
  for (const auto& [number, check] : checks_) {
    for (std::string& reason : check()) health.not_ready_because.push_back(std::move(reason));
  }
  return health;
}

Health HealthBoard::noted() const {
  const std::lock_guard lock(mutex_);
  Health health;
  for (const auto& [task, reason] : reasons_) {
    if (reason.empty()) continue;
    health.not_ready_because.push_back(task.empty() ? reason : task + ": " + reason);
  }
  health.warnings = events_;
  for (const auto& [task, text] : warnings_) {
    if (!text.empty()) health.warnings.push_back(task + ": " + text);
  }
  if (miskeyed_ > 0) {
    health.warnings.push_back(
        fmt::format("{} records had a key that is not their device id; the first ones follow; set "
                    "input.partitioned_by = none",
                    miskeyed_));
    health.warnings.insert(health.warnings.end(), first_miskeyed_.begin(), first_miskeyed_.end());
  }
  if (foreign_ > 0) {
    health.warnings.push_back(fmt::format(
        "{} foreign records in the state topic; the first ones follow; see who writes "
        "there: the next start of `dwell clean` refuses them, until `dwell topics reset`",
        foreign_));
    health.warnings.insert(health.warnings.end(), first_foreign_.begin(), first_foreign_.end());
  }
  return health;
}

}  // namespace dwell
