#include "pipeline/pipeline.h"

#include <algorithm>

#include "base/check.h"

namespace dwell {
namespace {

bool needs_restore(const Error& error) {
  return error.kind == ErrorKind::aborted || error.kind == ErrorKind::unknown_outcome;
}

void move_on(std::vector<Position>& positions, std::span<const Position> committed) {
  for (const Position& position : committed) {
    const auto known = std::find_if(positions.begin(), positions.end(),
                                    [&](const Position& p) { return p.source == position.source; });
    if (known == positions.end()) {
      positions.push_back(position);
    } else {
      *known = position;
    }
  }
}

}  // namespace

Pipeline::Pipeline(Committer& committer, Clock& clock, Observer& observer,
                   const PipelineOptions& options)
    : committer_(committer), clock_(clock), observer_(observer), options_(options) {}

Result<void> Pipeline::restore(std::stop_token stop) {
  retry_wait_ = Milliseconds{0};
  auto restored = load(stop);
  retry_wait_ = Milliseconds{0};
  return restored;
}

Result<void> Pipeline::load(const std::stop_token& stop) {
  for (;;) {
    fold_.emplace(options_.rule, options_.hash_seed);
    auto positions = committer_.restore(*fold_);
    if (positions) {
      positions_ = std::move(*positions);
      return {};
    }
    const bool can_retry = positions.error().kind == ErrorKind::retry_later;
    if (!can_retry || !wait_to_retry(stop, positions.error())) return pass(positions);
  }
}

Result<void> Pipeline::run(Source& source, std::stop_token stop) {
  CHECK(fold_);
  if (auto sought = source.seek(positions_); !sought) return sought;
  bool is_done = false;
  while (!is_done && !stop.stop_requested()) {
    if (auto stepped = step(source, stop, is_done); !stepped) {
      if (!needs_restore(stepped.error())) return stepped;
      if (auto gone_back = go_back(source, stop, stepped.error()); !gone_back) return gone_back;
      is_done = false;
    }
  }
  return {};
}

Result<void> Pipeline::step(Source& source, const std::stop_token& stop, bool& is_done) {
  auto batch = source.poll();
  while (!batch && batch.error().kind == ErrorKind::retry_later &&
         wait_to_retry(stop, batch.error())) {
    batch = source.poll();
  }
  if (!batch) return pass(batch);
  is_done = batch->is_last;
  if (batch->records.empty() && batch->positions.empty()) {
    retry_wait_ = Milliseconds{0};
    return {};
  }

  const Unit& unit = fold_->fold(batch->records, batch->positions);
  auto committed = committer_.commit(unit, *fold_);
  while (!committed && committed.error().kind == ErrorKind::retry_later &&
         wait_to_retry(stop, committed.error())) {
    committed = committer_.commit(unit, *fold_);
  }
  if (!committed) return committed;
  retry_wait_ = Milliseconds{0};
  move_on(positions_, batch->positions);
  observer_.committed(unit);
  return {};
}

// The fold ran ahead of what is committed, or nobody knows how far the commit came.
Result<void> Pipeline::go_back(Source& source, const std::stop_token& stop, const Error& cause) {
  if (!wait_to_retry(stop, cause)) return Failure(cause);
  if (auto loaded = load(stop); !loaded) return loaded;
  observer_.restored(cause);
  return source.seek(positions_);
}

// Waits before the next try; false when it has failed for too long or nobody wants it any more.
bool Pipeline::wait_to_retry(const std::stop_token& stop, const Error& error) {
  if (stop.stop_requested()) return false;
  if (retry_wait_ == Milliseconds{0}) failing_since_ = clock_.monotonic();
  if (clock_.monotonic() - failing_since_ > options_.give_up_after) return false;
  retry_wait_ = std::clamp(retry_wait_ * 2, options_.first_retry, options_.longest_retry);
  observer_.retrying(error, retry_wait_);
  clock_.sleep(retry_wait_);
  return true;
}

}  // namespace dwell
