#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "core/fold.h"
#include "http/process_routes.h"

namespace dwell {

// How the members of a process are, for /readyz and the log. Any thread.
class MemberStatus {
 public:
  // What keeps `task` from working; empty: nothing does.
  void set(const std::string& task, std::string reason);
  // The records of the unit whose key is not their device id. The first ones are told.
  void tell_miskeyed(const Unit& unit);

  // A record that Dwell has not written, in a topic that is its own. The first ones are told.
  void tell_foreign(const std::string& record);

  Health health() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::string> reasons_;  // by task
  std::uint64_t miskeyed_ = 0;
  std::vector<std::string> first_miskeyed_;
  std::uint64_t foreign_ = 0;
  std::vector<std::string> first_foreign_;
};

}  // namespace dwell
