#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <vector>

#include "live/intake_limits.h"
#include "ports/clock.h"
#include "ports/intake.h"
#include "ports/source.h"
#include "telemetry/tracer.h"

namespace dwell {

// The way of a client's records into the pipeline: submitted on any thread, polled as a Source by
// the pipeline's, answered when their unit is committed. What waits while a commit runs goes into
// the next one together (group commit).
//
// Its position is (`http`, n), n the count of records ever committed. Nothing resumes from it, but
// after an unknown outcome it tells whether the polled submissions were committed.
class IntakeQueue final : public Intake, public Source {
 public:
  IntakeQueue(const IntakeLimits& limits, Clock& clock, const Tracer& tracer = {})
      : limits_(limits), clock_(clock), tracer_(tracer) {}
  ~IntakeQueue() override;

  void submit(Submission submission, std::function<void(SubmissionResult)> done) override;
  IntakeLoad load() const override;

  // Never waits; see wait_for_submission().
  Result<Batch> poll() override;
  Result<void> seek(PartitionId partition, std::span<const Position> committed) override;

  // Returns when something is queued, or after `patience`.
  void wait_for_submission(Milliseconds patience);

  // The last polled batch is durable; `outcomes` are those of its records, `known_late` the indices
  // of those too_late that the rows show.
  void committed(std::span<const Outcome> outcomes, std::span<const std::uint32_t> known_late = {});

  // How many records the last polled batch had.
  std::size_t polled() const { return records_.size(); }

  // Refuses all that waits and, until open() is called, all that comes, with `reason`.
  void close(const Error& reason);
  void open();

  // Answers those in the polled batch with `reason` now, though it may still be committed later.
  void give_up_polled(const Error& reason);

 private:
  struct Waiting {
    Submission submission;
    std::function<void(SubmissionResult)> done;  // empty once answered
  };

  void trace(const Submission& submission) const;
  static void answer(std::deque<Waiting>& all, const Error& error);
  template <typename All>
  static IntakeLoad load_of(const All& all);
  void release(const IntakeLoad& load);

  const IntakeLimits limits_;
  Clock& clock_;
  const Tracer tracer_;

  mutable std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<Waiting> waiting_;  // guarded by mutex_
  IntakeLoad held_;              // guarded by mutex_: waiting and in flight
  Error closed_because_{ErrorKind::retry_later, "not started yet"};  // guarded by mutex_
  bool is_open_ = false;                                             // guarded by mutex_

  // The pipeline's thread alone.
  std::deque<Waiting> in_flight_;
  std::vector<Record> records_;
  std::vector<Position> positions_;
  Slice slice_;
  Offset next_ = 0;
  Span::Time polled_at_{};
};

}  // namespace dwell
