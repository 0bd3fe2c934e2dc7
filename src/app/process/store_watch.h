#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "app/process/health_board.h"
#include "base/result.h"
#include "ports/observer.h"

namespace dwell {

// Tells on the board, and once in the log, whether a member gets stored what it reads. It does not
// while the database keeps it waiting, nor from a commit that failed until one has succeeded or
// nothing is left to commit: that the database can be reached does not mean that it takes rows.
// Any thread.
class StoreWatch final : public Observer {
 public:
  StoreWatch(std::string task, HealthBoard& board);
  StoreWatch(const StoreWatch&) = delete;
  StoreWatch& operator=(const StoreWatch&) = delete;

  using Work = std::function<Result<void>()>;
  // Give the outcome of `work`, one at a time: a commit, or what else asks the database.
  Result<void> commit(const Work& work);
  Result<void> ask(const Work& work);

  // The member has left the group. What its runner tells shows that it is in it again, and whether
  // nothing is left to commit.
  void left();
  void observe(const Observation& observation) override;

  const std::string& task() const { return task_; }

 private:
  Result<void> run(const Work& work, bool is_commit);
  void tell_late(const std::stop_token& stop);
  void update();

  const std::string task_;
  HealthBoard& board_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::optional<std::chrono::steady_clock::time_point> since_;  // when the work began
  bool is_late_ = false;                                        // the work
  bool is_logged_ = false;                                      // in the log, since a commit
  bool has_failed_ = false;                                     // the last commit
  bool has_joined_ = false;
  bool is_ready_ = false;  // as the board says
  std::jthread thread_;
};

}  // namespace dwell
