#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <optional>
#include <stop_token>
#include <vector>

#include "app/process/member_status.h"
#include "app/process/metrics.h"
#include "app/process/system_clock.h"
#include "app/process/topic_guard.h"
#include "app/settings/config.h"
#include "base/file_lock.h"
#include "http/wire/router.h"

namespace dwell {

class Server;

// What a role does on a thread of its own until it is asked to stop.
using RoleTask = std::function<Result<void>(const std::stop_token& stop)>;

// A process between Kafka and PostgreSQL: the tasks of its roles, each on a thread of its own, and
// one thread that serves HTTP. Roles add themselves (roles.h), then run().
class Process {
 public:
  // `name`: the command, for messages.
  Process(const Config& config, std::string name) : config_(config), name_(std::move(name)) {}
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  const Config& config() const { return config_; }
  Clock& clock() { return clock_; }
  MemberStatus& status() { return status_; }
  Metrics& metrics() { return metrics_; }
  TopicGuard& topics() { return topics_; }                 // roles name those they use
  boost::asio::io_context& context() { return context_; }  // of the HTTP thread

  // What tells this process from others that share `group`, guarded by a lock file. Errors: invalid
  // (another process on this host has it; says what to do).
  Result<std::string> take_instance(const std::string& group);

  void add(RoleTask task) { tasks_.push_back(std::move(task)); }
  // Serves what `handle` answers instead of health and metrics alone.
  void answer_with(Handle handle) { handle_ = std::move(handle); }

  // Serves on `listen` (off: nowhere) until a signal comes or one task ends with an error, which
  // ends all.
  Result<void> run(const std::string& listen);

 private:
  Result<void> run_tasks(Server& server);

  const Config& config_;
  std::string name_;
  SystemClock clock_;
  MemberStatus status_;
  Metrics metrics_;
  TopicGuard topics_{config_, status_, metrics_};
  boost::asio::io_context context_{1};
  std::vector<FileLock> locks_;
  std::vector<RoleTask> tasks_;
  Handle handle_;
};

}  // namespace dwell
