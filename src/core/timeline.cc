#include "core/timeline.h"

namespace dwell {

void SessionFold::add(const Row& row) {
  if (last_ == row.type || !row.other_type.empty()) return;
  if (row.type == EventType::exit) {
    const auto begin = last_ ? std::optional(since_) : std::nullopt;
    closed_.push_back({begin, row.timestamp});
  }
  last_ = row.type;
  since_ = row.timestamp;
}

std::vector<Session> SessionFold::sessions() const {
  auto sessions = closed_;
  if (last_ == EventType::enter) sessions.push_back({since_, std::nullopt});
  return sessions;
}

}  // namespace dwell
