#include "app/process/store_watch.h"

#include <fmt/chrono.h>
#include <spdlog/spdlog.h>

namespace dwell {
namespace {

constexpr std::chrono::seconds kPatience{5};

}  // namespace

StoreWatch::StoreWatch(std::string task, HealthBoard& board)
    : task_(std::move(task)),
      board_(board),
      thread_([this](const std::stop_token& stop) { tell_late(stop); }) {}

Result<void> StoreWatch::commit(const Work& work) {
  return run(work, true);
}

Result<void> StoreWatch::ask(const Work& work) {
  return run(work, false);
}

Result<void> StoreWatch::run(const Work& work, bool is_commit) {
  {
    const std::lock_guard lock(mutex_);
    since_ = std::chrono::steady_clock::now();
  }
  changed_.notify_all();
  auto done = work();
  const std::lock_guard lock(mutex_);
  since_.reset();
  is_late_ = false;
  changed_.notify_all();
  if (is_commit) {
    has_failed_ = !done;
    is_logged_ &= has_failed_;
  }
  if (done) update();
  return done;
}

void StoreWatch::left() {
  const std::lock_guard lock(mutex_);
  has_joined_ = false;
  is_ready_ = false;  // whoever ended the membership says why
}

void StoreWatch::observe(const Observation& observation) {
  const auto* committed = std::get_if<Committed>(&observation);
  if (!committed || !committed->has_joined) return;
  const std::lock_guard lock(mutex_);
  has_joined_ = true;
  if (committed->is_at_end) has_failed_ = false;
  update();
}

void StoreWatch::update() {
  if (is_ready_ || !has_joined_ || has_failed_ || is_late_) return;
  board_.set(task_, "");
  is_ready_ = true;
}

void StoreWatch::tell_late(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    changed_.wait(lock, stop, [&] { return since_ && !is_late_; });
    if (!since_ || is_late_) continue;
    const auto since = since_;
    if (changed_.wait_until(lock, stop, *since + kPatience, [&] { return since_ != since; })) {
      continue;
    }
    if (stop.stop_requested()) return;
    is_late_ = true;
    is_ready_ = false;
    const auto what = fmt::format(
        "the database has not answered for {}: see what it waits for, as who holds a lock "
        "(SELECT * FROM pg_stat_activity)",
        kPatience);
    board_.set(task_, what);
    if (!is_logged_) spdlog::warn("{}: {}", task_, what);
    is_logged_ = true;
  }
}

}  // namespace dwell
