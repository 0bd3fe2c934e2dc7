#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <optional>
#include <stop_token>
#include <vector>

#include "app/process/health_board.h"
#include "app/process/metrics.h"
#include "app/process/signals.h"
#include "app/process/system_clock.h"
#include "app/process/topic_guard.h"
#include "app/settings/config.h"
#include "base/file_lock.h"
#include "http/wire/router.h"
#include "telemetry/tracer.h"

namespace dwell {

class Server;

// What a role does on a thread of its own until it is asked to stop.
using RoleTask = std::function<Result<void>(const std::stop_token& stop)>;

// A process that serves until a signal comes: the tasks of its roles, each on a thread of its own,
// and one thread that serves HTTP. Roles add themselves (roles.h), then run().
//
// It stops in one order: no request is taken any more and those in flight are answered; at_stop();
// the tasks are asked to stop and waited for; when_stopped(); connections that are left are closed.
class Process {
 public:
  // `name`: the command, for messages.
  Process(const Config& config, std::string name);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  const Config& config() const { return config_; }
  Clock& clock() { return clock_; }
  HealthBoard& board() { return board_; }
  Metrics& metrics() { return metrics_; }
  Tracer tracer() const { return Tracer(telemetry_.get()); }
  TopicGuard& topics() { return topics_; }                 // roles name those they use
  boost::asio::io_context& context() { return context_; }  // of the HTTP thread

  // What tells this process from others that share `group`, guarded by a lock file. Errors: invalid
  // (another process on this host has it; says what to do).
  Result<std::string> take_instance(const std::string& group);

  // A task that ends by itself ends the process. `name`: as on the board, for the lines that it
  // logs; empty where there is one task.
  void add(std::string name, RoleTask task) {
    tasks_.push_back({std::move(name), std::move(task)});
  }
  // Serves what `handle` answers instead of health and metrics alone; `what` it is, for the log.
  void answer_with(Handle handle, std::string what = "the API") {
    handle_ = std::move(handle);
    what_ = std::move(what);
  }
  // Called on the HTTP thread when no request is taken any more, and when no task runs any more.
  void at_stop(std::function<void()> call) { at_stop_.push_back(std::move(call)); }
  void when_stopped(std::function<void()> call) { when_stopped_.push_back(std::move(call)); }

  // Serves on `listen` (off: nowhere) until a signal comes or a task ends, which ends all.
  // `signals` are let go as soon as they are looked out for. Errors: that of the first task that
  // failed; invalid (`listen` cannot be listened on).
  Result<void> run(const std::string& listen, HeldSignals& signals);

 private:
  struct Task {
    std::string name;
    RoleTask run;
  };

  Result<void> run_tasks(Server& server);
  void end_telemetry();

  const Config& config_;
  std::string name_;
  SystemClock clock_;
  HealthBoard board_;
  Metrics metrics_;
  std::unique_ptr<Telemetry> telemetry_;  // none: nothing is sent
  TopicGuard topics_{config_, clock_, board_, metrics_};
  boost::asio::io_context context_{1};
  std::vector<FileLock> locks_;
  std::vector<Task> tasks_;
  std::vector<std::function<void()>> at_stop_;
  std::vector<std::function<void()>> when_stopped_;
  Handle handle_;
  std::string what_ = "health and metrics";
};

}  // namespace dwell
