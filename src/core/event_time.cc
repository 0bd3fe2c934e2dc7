#include "core/event_time.h"

#include <algorithm>

#include "base/check.h"

namespace dwell {

std::size_t EventWindow::position_after(Timestamp timestamp) const {
  const auto limit = static_cast<std::uint64_t>(to_ms(timestamp) + 1) << 2;
  if (empty() || back().packed < limit) return size();
  const auto first = entries_.begin() + static_cast<std::ptrdiff_t>(begin_);
  return static_cast<std::size_t>(
      std::lower_bound(first, entries_.end(), limit,
                       [](Entry entry, std::uint64_t bound) { return entry.packed < bound; }) -
      first);
}

void EventWindow::insert(std::size_t position, Timestamp timestamp, std::uint8_t tie,
                         EventType type) {
  const Entry entry{static_cast<std::uint64_t>(to_ms(timestamp)) << 2 |
                    static_cast<std::uint64_t>(tie) << 1 | static_cast<std::uint64_t>(type)};
  const auto i = begin_ + position;
  CHECK(i == begin_ || entries_[i - 1].packed < entry.packed);
  CHECK(i == entries_.size() || entry.packed < entries_[i].packed);
  entries_.insert(entries_.begin() + static_cast<std::ptrdiff_t>(i), entry);
}

void EventWindow::remove_front() {
  ++begin_;
  // Moving the rest only when half is gone makes an eviction cheap however large the window is.
  if (begin_ * 2 >= entries_.size()) {
    entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(begin_));
    begin_ = 0;
  }
}

void EventWindow::prepend(std::span<const Entry> older) {
  entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(begin_));
  begin_ = 0;
  entries_.insert(entries_.begin(), older.begin(), older.end());
}

bool operator==(const EventWindow& a, const EventWindow& b) {
  return a.size() == b.size() &&
         std::equal(a.entries_.begin() + static_cast<std::ptrdiff_t>(a.begin_), a.entries_.end(),
                    b.entries_.begin() + static_cast<std::ptrdiff_t>(b.begin_));
}

bool EventTimeState::is_too_late(Timestamp timestamp, const Rule& rule) const {
  if (largest_evicted != kNever && timestamp <= largest_evicted) return true;
  return newest != kNever && timestamp < newest - rule.horizon;
}

std::optional<EventType> EventTimeState::type_before(std::size_t position) const {
  return position > 0 ? window[position - 1].type() : base;
}

Change EventTimeState::change(const EventWindow::Entry& entry, Operation operation) {
  return {entry.timestamp(), ++seq, entry.tie(), entry.type(), operation};
}

Decision EventTimeState::decide(const Event& event, Timestamp now, const Rule& rule) {
  if (!window.empty() && newest_under != rule.version) adopt(rule);
  if (is_too_late(event.timestamp, rule)) return {Outcome::too_late};
  if (window.empty() && rule.first_exit == FirstExit::suppress) base = EventType::exit;
  last_seen = std::max(last_seen, event.timestamp);

  const auto position = window.position_after(event.timestamp);
  const auto before = type_before(position);
  std::uint8_t tie = 0;
  for (auto i = position; i > 0 && window[i - 1].timestamp() == event.timestamp; --i) {
    if (window[i - 1].type() == event.type) {
      suppressed.count(Outcome::duplicate);
      return {Outcome::duplicate};
    }
    tie = 1;
  }
  window.insert(position, event.timestamp, tie, event.type);
  change_in_unit.changed =
      std::max(change_in_unit.changed + 1, static_cast<std::uint32_t>(window.size() - position));
  newest_under = rule.version;

  Decision decision{Outcome::accepted};
  if (before == event.type) {
    const bool never_inside = position == 0 && largest_evicted == kNever;
    decision.outcome = never_inside ? Outcome::initial_exit : repeated(event.type);
    suppressed.count(decision.outcome);
  } else {
    ++accepted;
    decision.add(change(window[position], Operation::insert));
    if (position + 1 < window.size()) {
      const auto successor = window[position + 1];
      const bool was_row = before != successor.type();
      const bool is_row = event.type != successor.type();
      if (was_row && !is_row) {
        ++retracted;
        decision.add(change(successor, Operation::retract));
      } else if (!was_row && is_row) {
        ++promoted;
        decision.add(change(successor, Operation::insert));
      }
    }
  }
  if (rule.version == 1) {
    newest = std::max(newest, std::min(event.timestamp, now));
  } else {
    support(position, now, rule);
  }
  evict(rule);
  return decision;
}

std::optional<ClockJump> EventTimeState::jump(const Rule& rule) const {
  if (window.empty() || largest_evicted == kNever) return std::nullopt;
  const Timestamp to = window.front().timestamp();
  if (to - largest_evicted <= rule.horizon) return std::nullopt;
  return ClockJump{largest_evicted, to};
}

// One wrong reading of a clock stands alone, so it moves nothing: the horizon counts from the
// newest event that has another one, of another millisecond, within a horizon below it. Called for
// the event that came to `position`, which may have such a neighbour, or be one for the next.
void EventTimeState::support(std::size_t position, Timestamp now, const Rule& rule) {
  const Timestamp arrived = window[position].timestamp();
  auto below = position;
  while (below > 0 && window[below - 1].timestamp() == arrived) --below;
  const Timestamp before = below > 0 ? window[below - 1].timestamp() : largest_evicted;
  if (before != kNever && arrived - before <= rule.horizon) {
    newest = std::max(newest, std::min(arrived, now));
  }
  auto above = position + 1;
  while (above < window.size() && window[above].timestamp() == arrived) ++above;
  if (above < window.size() && window[above].timestamp() - arrived <= rule.horizon) {
    newest = std::max(newest, std::min(window[above].timestamp(), now));
  }
  // A device whose events are all further apart keeps the last few.
  if (window.size() > kOldestReference) {
    newest = std::max(newest, std::min(window[window.size() - kOldestReference].timestamp(), now));
  }
}

// Goes on under rule 2 with what rule 1 left: what its window shows, and the largest evicted time.
void EventTimeState::adopt(const Rule& rule) {
  newest_under = rule.version;
  if (rule.version == 1) return;
  newest = kNever;
  for (std::size_t i = 0; i < window.size(); ++i) support(i, kLatest, rule);
}

void EventTimeState::evict(const Rule& rule) {
  while (window.size() > rule.window_max || window.front().timestamp() < newest - rule.horizon) {
    const auto oldest = window.front().timestamp();
    if (oldest == window.back().timestamp()) return;  // the newest millisecond always stays
    while (window.front().timestamp() == oldest) {
      base = window.front().type();
      window.remove_front();
      ++change_in_unit.evicted;
    }
    largest_evicted = oldest;
  }
}

bool operator==(const EventTimeState& a, const EventTimeState& b) {
  return a.seq == b.seq && a.last_seen == b.last_seen && a.suppressed == b.suppressed &&
         a.accepted == b.accepted && a.promoted == b.promoted && a.retracted == b.retracted &&
         a.base == b.base && a.largest_evicted == b.largest_evicted && a.newest == b.newest &&
         a.newest_under == b.newest_under && a.window == b.window;
}

}  // namespace dwell
