#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <span>
#include <vector>

#include "telemetry/ending_thread.h"
#include "telemetry/exporter.h"
#include "telemetry/otel_settings.h"

namespace dwell {

// Hands things to a collector on a thread of its own, in batches: each `delay`, and as soon as one
// is full. Whoever adds never waits: what finds the queue full is dropped, and what could not be
// sent in kMostTries; both are counted.
template <typename Thing>
class Courier {
 public:
  using Send = std::function<Sent(std::span<const Thing>)>;

  static constexpr int kMostTries = 5;
  static constexpr std::chrono::milliseconds kFirstWait{1'000};  // doubled at each further try

  Courier(const OtelSettings::Queue& options, Send send)
      : options_(options),
        send_(std::move(send)),
        thread_([this](std::unique_lock<std::mutex>& lock) { run(lock); }) {}
  Courier(const Courier&) = delete;
  Courier& operator=(const Courier&) = delete;

  // Whether there is room; asked before something is made that costs.
  bool has_room() const {
    return waiting_count_.load(std::memory_order_relaxed) < options_.capacity;
  }
  void add(Thing thing) {
    const std::lock_guard lock(thread_.mutex());
    if (thread_.is_ending() || waiting_.size() >= options_.capacity) return drop();
    waiting_.push_back(std::move(thing));
    waiting_count_.store(waiting_.size(), std::memory_order_relaxed);
    if (waiting_.size() == options_.batch) thread_.notify();
  }
  void drop(std::uint64_t count = 1) { dropped_.fetch_add(count, std::memory_order_relaxed); }
  std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

  // Sends what waits, each batch once, until `deadline`. False: the last call of `send` is not
  // over, and this object has to outlive it.
  bool end(std::chrono::steady_clock::time_point deadline) { return thread_.end(deadline); }

 private:
  void run(std::unique_lock<std::mutex>& lock) {
    std::vector<Thing> batch;
    while (!thread_.is_ending() ||
           (!waiting_.empty() && !thread_.is_over(std::chrono::steady_clock::now()))) {
      thread_.wait(lock, options_.delay, [this] { return waiting_.size() >= options_.batch; });
      const auto count = std::min(waiting_.size(), options_.batch);
      const auto end = waiting_.begin() + static_cast<std::ptrdiff_t>(count);
      batch.assign(std::make_move_iterator(waiting_.begin()), std::make_move_iterator(end));
      waiting_.erase(waiting_.begin(), end);
      waiting_count_.store(waiting_.size(), std::memory_order_relaxed);
      if (!batch.empty() && !send(batch, lock)) drop(batch.size());
    }
    drop(waiting_.size());
    waiting_.clear();
  }

  // With the lock let go meanwhile.
  bool send(std::span<const Thing> batch, std::unique_lock<std::mutex>& lock) {
    auto wait = kFirstWait;
    for (int tries = 1;; ++tries) {
      lock.unlock();
      const Sent sent = send_(batch);
      lock.lock();
      if (sent.kind != Sent::Kind::later) return sent.kind == Sent::Kind::ok;
      if (tries == kMostTries || thread_.is_ending()) return false;
      if (thread_.wait(lock, std::max(wait, sent.wait), [] { return false; })) return false;
      wait *= 2;
    }
  }

  const OtelSettings::Queue options_;
  const Send send_;
  std::vector<Thing> waiting_;
  std::atomic<std::size_t> waiting_count_ = 0;
  std::atomic<std::uint64_t> dropped_ = 0;
  EndingThread thread_;  // last: it uses the rest
};

}  // namespace dwell
