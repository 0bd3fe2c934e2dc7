#pragma once

#include <algorithm>
#include <iterator>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "core/event.h"
#include "core/rule.h"

namespace dwell {

// The rule a second time, as slow and plain as docs/architecture.md puts it: what the real one is
// compared with. A model sees one device.

struct ModelRow {
  std::int64_t timestamp;
  std::uint64_t rank;
  EventType type;

  friend auto operator<=>(const ModelRow&, const ModelRow&) = default;
};

// order = arrival: the list of accepted events decides.
class ArrivalModel {
 public:
  explicit ArrivalModel(const Rule& rule) : rule_(rule) {}

  Outcome add(std::int64_t timestamp, EventType type, std::int64_t /*now*/) {
    for (std::size_t back = 1; back <= rule_.duplicate_window && back <= accepted_.size(); ++back) {
      const ModelRow& event = accepted_[accepted_.size() - back];
      if (event.timestamp == timestamp && event.type == type) return Outcome::duplicate;
    }
    const bool is_first = !std::exchange(was_seen_, true);
    if (accepted_.empty() && type == EventType::exit && rule_.first_exit == FirstExit::suppress) {
      return is_first ? Outcome::initial_exit : Outcome::repeated_exit;
    }
    if (!accepted_.empty() && accepted_.back().type == type) {
      return type == EventType::enter ? Outcome::repeated_enter : Outcome::repeated_exit;
    }
    accepted_.push_back({timestamp, accepted_.size() + 1, type});
    return Outcome::accepted;
  }

  // The stored rows, sorted: of two events with one identity the first stays.
  std::vector<ModelRow> rows() const {
    std::vector<ModelRow> rows;
    for (const ModelRow& event : accepted_) {
      const bool is_stored = std::any_of(rows.begin(), rows.end(), [&](const ModelRow& row) {
        return row.timestamp == event.timestamp && row.type == event.type;
      });
      if (!is_stored) rows.push_back(event);
    }
    std::sort(rows.begin(), rows.end());
    return rows;
  }

 private:
  Rule rule_;
  bool was_seen_ = false;
  std::vector<ModelRow> accepted_;
};

// order = event_time: everything not refused, sorted; rows are the heads of runs. `rank` is the
// tie.
class EventTimeModel {
 public:
  explicit EventTimeModel(const Rule& rule) : rule_(rule) {}

  // Says accepted for a row, else too_late, duplicate, or a repeat of its type.
  Outcome add(std::int64_t timestamp, EventType type, std::int64_t now) {
    if (floor_ && timestamp <= *floor_) return Outcome::too_late;
    std::uint64_t tie = 0;
    for (const ModelRow& event : sorted_) {
      if (event.timestamp == timestamp && event.type == type) return Outcome::duplicate;
      if (event.timestamp == timestamp) tie = 1;
    }
    const ModelRow event{timestamp, tie, type};
    sorted_.insert(std::upper_bound(sorted_.begin(), sorted_.end(), event), event);
    for (const std::int64_t seen : references(timestamp)) {
      newest_ = std::max(newest_.value_or(INT64_MIN), std::min(seen, now));
    }
    raise_floor();
    const auto all = rows();
    const bool is_row = std::find(all.begin(), all.end(), event) != all.end();
    if (is_row) return Outcome::accepted;
    return type == EventType::enter ? Outcome::repeated_enter : Outcome::repeated_exit;
  }

  std::vector<ModelRow> rows() const {
    std::vector<ModelRow> rows;
    std::optional<EventType> before;
    if (rule_.first_exit == FirstExit::suppress) before = EventType::exit;
    for (const ModelRow& event : sorted_) {
      if (event.type != before) rows.push_back(event);
      before = event.type;
    }
    return rows;
  }

  // The event that stands right after this one.
  std::optional<ModelRow> successor(std::int64_t timestamp, EventType type) const {
    for (std::size_t i = 0; i + 1 < sorted_.size(); ++i) {
      if (sorted_[i].timestamp == timestamp && sorted_[i].type == type) return sorted_[i + 1];
    }
    return std::nullopt;
  }

 private:
  // The times that the horizon may count back from, now that this one is there. Under rule 2 it
  // must be one of two neighbours, the later one, or the 16th newest of the window.
  std::vector<std::int64_t> references(std::int64_t timestamp) const {
    if (rule_.version == 1) return {timestamp};
    std::set<std::int64_t> times;
    for (const ModelRow& event : sorted_) times.insert(event.timestamp);
    std::vector<std::int64_t> found;
    const auto own = times.find(timestamp);
    if (own != times.begin() && timestamp - *std::prev(own) <= rule_.horizon.count()) {
      found.push_back(timestamp);
    }
    const auto next = std::next(own);
    if (next != times.end() && *next - timestamp <= rule_.horizon.count()) found.push_back(*next);
    constexpr std::ptrdiff_t kOldest = 16;
    if (sorted_.end() - window_start() > kOldest) {
      found.push_back(sorted_[sorted_.size() - kOldest].timestamp);
    }
    return found;
  }

  // Whole milliseconds leave the window from the old end, the newest one never.
  void raise_floor() {
    const auto horizon = rule_.horizon.count();
    for (auto first = window_start(); first != sorted_.end(); first = window_start()) {
      const auto size = static_cast<std::size_t>(sorted_.end() - first);
      const bool has_to_go =
          size > rule_.window_max || (newest_ && first->timestamp < *newest_ - horizon);
      if (!has_to_go || first->timestamp == sorted_.back().timestamp) break;
      evicted_ = first->timestamp;
    }
    floor_ = evicted_.value_or(INT64_MIN);
    if (newest_) floor_ = std::max(*floor_, *newest_ - horizon - 1);
  }
  std::vector<ModelRow>::const_iterator window_start() const {
    return std::find_if(sorted_.begin(), sorted_.end(), [&](const ModelRow& event) {
      return !evicted_ || event.timestamp > *evicted_;
    });
  }

  Rule rule_;
  std::vector<ModelRow> sorted_;  // all distinct events that were not refused
  std::optional<std::int64_t> newest_, evicted_, floor_;
};

}  // namespace dwell
