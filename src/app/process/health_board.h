#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "http/wire/health.h"
#include "ports/partition.h"

namespace dwell {

// How the tasks of a process are, for /readyz and the log. Any thread.
class HealthBoard {
 public:
  // What keeps `task` from working; empty: nothing does. A task without a name is the process.
  void set(const std::string& task, std::string reason);
  // Asked each time for further reasons, on any thread, until it is removed: no call lasts longer.
  // Gives the number of `check`, which asks nothing of this board.
  using Check = std::function<std::vector<std::string>()>;
  std::size_t add_check(Check check);
  void remove_check(std::size_t number);
  // What needs no hand now, and should be known: kept until the process ends, once each.
  void remember(const std::string& what);
  // What is not as it should be with `task`, though it works; empty: nothing is. Logged once.
  void warn(const std::string& task, std::string text);
  // The records of the partition's unit whose key is not their device id. The first ones are told.
  void tell_miskeyed(const Partition& partition);

  // A record that Dwell has not written, in a topic that is its own. The first ones are told.
  void tell_foreign(const std::string& record);

  Health health() const;

 private:
  Health noted() const;

  mutable std::mutex checks_mutex_;  // for the next two
  std::map<std::size_t, Check> checks_;
  std::size_t next_check_ = 0;

  mutable std::mutex mutex_;                     // for what follows
  std::map<std::string, std::string> reasons_;   // by task
  std::vector<std::string> events_;              // the first ones
  std::map<std::string, std::string> warnings_;  // by task
  std::uint64_t miskeyed_ = 0;
  std::vector<std::string> first_miskeyed_;
  std::uint64_t foreign_ = 0;
  std::vector<std::string> first_foreign_;
};

}  // namespace dwell
