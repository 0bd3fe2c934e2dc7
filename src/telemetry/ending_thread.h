#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "base/check.h"

namespace dwell {

// A thread that is asked to end and waited for so long, and left behind if it takes longer.
class EndingThread {
 public:
  using Clock = std::chrono::steady_clock;

  // Runs `work` with the lock held; what work() guards with it may be used beneath it.
  explicit EndingThread(std::function<void(std::unique_lock<std::mutex>& lock)> work)
      : work_(std::move(work)), thread_([this] { run(); }) {}
  // Legal once end() was called.
  ~EndingThread() { CHECK(!thread_.joinable()); }
  EndingThread(const EndingThread&) = delete;
  EndingThread& operator=(const EndingThread&) = delete;

  std::mutex& mutex() { return mutex_; }
  void notify() { changed_.notify_all(); }

  // Of the thread, with the lock. Waits for `patience`, until notified and `holds` does, or until
  // it is to end: then true.
  template <typename Holds>
  bool wait(std::unique_lock<std::mutex>& lock, std::chrono::milliseconds patience, Holds holds) {
    changed_.wait_for(lock, patience, [&] { return is_ending_ || holds(); });
    return is_ending_;
  }
  // With the lock.
  bool is_ending() const { return is_ending_; }
  bool is_over(Clock::time_point now) const { return is_ending_ && now >= deadline_; }

  // False: the thread is not over at `deadline`, and what it uses has to outlive it.
  bool end(Clock::time_point deadline) {
    std::unique_lock lock(mutex_);
    is_ending_ = true;
    deadline_ = deadline;
    changed_.notify_all();
    const bool is_done = changed_.wait_until(lock, deadline, [this] { return is_done_; });
    lock.unlock();
    if (is_done) {
      thread_.join();
    } else {
      thread_.detach();
    }
    return is_done;
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    work_(lock);
    is_done_ = true;
    changed_.notify_all();
  }

  const std::function<void(std::unique_lock<std::mutex>& lock)> work_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_ending_ = false;
  Clock::time_point deadline_{};
  bool is_done_ = false;
  std::thread thread_;  // last: it uses the rest
};

}  // namespace dwell
