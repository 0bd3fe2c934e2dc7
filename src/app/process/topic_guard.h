#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <vector>

#include "app/process/health_board.h"
#include "app/process/metrics.h"
#include "app/settings/config.h"
#include "kafka/topics/topic_watch.h"
#include "ports/clock.h"

namespace dwell {

// Looks after the topics that the roles of a process use. When one is not what it was, that is said
// in the log and by /readyz, and whatever uses topics begins anew, with the checks of a start: it
// waits, goes on or refuses as they say. Brokers that do not answer are told too. Roles add their
// topics before the first task runs; then any thread.
class TopicGuard {
 public:
  static constexpr const char* kTask = "topics";  // its name on the board

  TopicGuard(const Config& config, Clock& clock, HealthBoard& board, Metrics& metrics)
      : config_(config), clock_(clock), board_(board), metrics_(metrics) {}

  // `keeps_all`: nothing may go from its beginning, as from the states.
  void add(const std::string& topic, bool keeps_all = false);
  // The keyed topic, wherever the input asks for it.
  void add_keyed() { has_keyed_ = true; }
  bool is_needed() const { return !topics_.empty(); }

  // Until `stop` is asked for. Errors: invalid (a setting of the client is wrong).
  Result<void> run(const std::stop_token& stop);

  // keep_joining() for what uses topics. `once` is given a token that is asked to stop when `stop`
  // is or when a topic changes: nothing is to be committed any more then.
  Result<void> keep_joining(const std::string& task, const std::stop_token& stop,
                            const std::function<Result<void>(const std::stop_token& ends)>& once);

 private:
  // From one change to the next.
  struct Epoch {
    std::stop_source end;
    Error cause;  // of its end, set before
  };

  std::vector<TopicWatch::Topic> topics_to_watch(const TopicWatch& watch) const;
  void take(const std::vector<TopicWatch::Told>& changes);
  void tell_away(bool are_away);
  std::shared_ptr<Epoch> epoch() const;

  const Config& config_;
  Clock& clock_;
  HealthBoard& board_;
  Metrics& metrics_;
  std::vector<TopicWatch::Topic> topics_;
  bool has_keyed_ = false;
  std::atomic<bool> is_read_ = false;           // by somebody who can do nothing without brokers
  bool are_away_ = false;                       // the brokers, as it was told
  std::map<std::string, std::string> missing_;  // what was said of it, by topic
  mutable std::mutex mutex_;
  std::shared_ptr<Epoch> epoch_ = std::make_shared<Epoch>();
};

}  // namespace dwell
