#include "app/process/topic_guard.h"

#include <algorithm>
#include <spdlog/spdlog.h>

#include "app/process/rejoining.h"
#include "app/settings/kafka_options.h"
#include "kafka/topics/topic_plan.h"

namespace dwell {
namespace {

constexpr const char* kBrokers = "brokers";
constexpr Milliseconds kLookAgain{1'000};
constexpr Milliseconds kAway{4'000};  // without an answer, until that is told

}  // namespace

void TopicGuard::add(const std::string& topic, bool keeps_all) {
  const auto known = std::find_if(topics_.begin(), topics_.end(),
                                  [&](const auto& one) { return one.name == topic; });
  if (known == topics_.end()) {
    topics_.push_back({topic, keeps_all});
  } else {
    known->keeps_all |= keeps_all;
  }
}

// The keyed topic is made when the input needs it, which its partitions may decide.
std::vector<TopicWatch::Topic> TopicGuard::topics_to_watch(const TopicWatch& watch) const {
  auto topics = topics_;
  const auto input = watch.partitions(config_.topics.input);
  if (has_keyed_ && input.value_or(0) > 0 && has_hop(config_.partitioned_by, *input)) {
    topics.push_back({config_.topics.keyed});
  }
  return topics;
}

Result<void> TopicGuard::run(const std::stop_token& stop) {
  TopicWatch watch(kafka_options(config_));
  auto answered_at = clock_.monotonic();
  while (!stop.stop_requested()) {
    const auto changes = watch.look(topics_to_watch(watch));
    if (!changes && changes.error().kind == ErrorKind::invalid) return pass(changes);
    if (changes) {
      take(*changes);
      metrics_.looked_at_topics();
      answered_at = clock_.monotonic();
    }
    tell_away(clock_.monotonic() - answered_at > kAway);
    clock_.sleep(kLookAgain, stop);
  }
  return {};
}

void TopicGuard::take(const std::vector<TopicWatch::Told>& changes) {
  if (changes.empty()) return;
  std::string all;
  for (const auto& [topic, change, what] : changes) {
    spdlog::warn("{}", what);
    all += (all.empty() ? "" : "; ") + what;
    if (change == TopicChange::missing) {
      missing_[topic] = what;
    } else {
      missing_.erase(topic);
      const bool is_as_it_was = change == TopicChange::made || change == TopicChange::back;
      if (!is_as_it_was) board_.remember(what);
    }
  }
  std::string reasons;
  for (const auto& [topic, what] : missing_) reasons += (reasons.empty() ? "" : "; ") + what;
  board_.set(kTask, reasons);
  const std::lock_guard lock(mutex_);
  epoch_->cause = {ErrorKind::lost_ownership, all};
  epoch_->end.request_stop();
  epoch_ = std::make_shared<Epoch>();
}

// Those who wait for records do not notice that none can come.
void TopicGuard::tell_away(bool are_away) {
  if (are_away == are_away_) return;
  are_away_ = are_away;
  const auto what = are_away ? fmt::format("no answer from {}", config_.brokers) : "";
  if (!is_read_) {
    board_.warn(kBrokers, what);
    return;
  }
  if (are_away) spdlog::warn("{}: {}", kBrokers, what);
  board_.set(kBrokers, what);
}

std::shared_ptr<TopicGuard::Epoch> TopicGuard::epoch() const {
  const std::lock_guard lock(mutex_);
  return epoch_;
}

Result<void> TopicGuard::keep_joining(
    const std::string& task, const std::stop_token& stop,
    const std::function<Result<void>(const std::stop_token&)>& once) {
  is_read_ = true;
  return dwell::keep_joining(task, stop, clock_, board_, [&]() -> Result<void> {
    const auto now = epoch();
    std::stop_source ends;
    const auto end = [&ends] { ends.request_stop(); };
    const std::stop_callback by_stop(stop, end);
    const std::stop_callback by_change(now->end.get_token(), end);
    auto done = once(ends.get_token());
    // Whatever a client made of it, the change is the cause.
    if (now->end.stop_requested()) return Failure(now->cause);
    return done;
  });
}

}  // namespace dwell
