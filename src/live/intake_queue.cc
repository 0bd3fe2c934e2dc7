#include "live/intake_queue.h"

#include <algorithm>
#include <optional>

#include "base/check.h"

namespace dwell {
namespace {

constexpr std::string_view kSourceName = "http";

}  // namespace

template <typename All>
IntakeLoad IntakeQueue::load_of(const All& all) {
  IntakeLoad load;
  for (const auto& waiting : all) {
    load.records += waiting.submission.ends.size();
    load.bytes += waiting.submission.bytes.size();
  }
  return load;
}

IntakeQueue::~IntakeQueue() {
  close({ErrorKind::retry_later, "the service is stopping"});
  give_up_polled({ErrorKind::unknown_outcome, "the service stopped"});
}

void IntakeQueue::submit(Submission submission, std::function<void(SubmissionResult)> done) {
  if (submission.ends.empty()) {
    done(Submitted());  // nothing to commit, so no commit would ever answer it
    return;
  }
  std::optional<Error> refusal;
  {
    const std::lock_guard lock(mutex_);
    const std::size_t size = submission.bytes.size();
    if (!is_open_) {
      refusal = closed_because_;
    } else if (held_.bytes > 0 && held_.bytes + size > limits_.queued_bytes) {
      refusal = {ErrorKind::retry_later, "too many events are waiting to be committed"};
    } else {
      held_.records += submission.ends.size();
      held_.bytes += size;
      waiting_.push_back({std::move(submission), std::move(done)});
    }
  }
  if (refusal) {
    done(Failure(*refusal));
  } else {
    arrived_.notify_one();
  }
}

Result<Batch> IntakeQueue::poll() {
  records_.clear();
  positions_.clear();
  // What an aborted commit left in flight comes first and alone.
  if (in_flight_.empty()) {
    const std::lock_guard lock(mutex_);
    std::size_t count = 0;
    while (!waiting_.empty() && (count == 0 || count + waiting_.front().submission.ends.size() <=
                                                   limits_.batch_records)) {
      count += waiting_.front().submission.ends.size();
      in_flight_.push_back(std::move(waiting_.front()));
      waiting_.pop_front();
    }
  }
  if (tracer_.is_on()) polled_at_ = std::chrono::system_clock::now();
  const Timestamp now = clock_.wall();
  Offset offset = next_;
  for (const Waiting& waiting : in_flight_) {
    std::size_t start = 0;
    for (const std::size_t end : waiting.submission.ends) {
      const auto bytes = std::string_view(waiting.submission.bytes).substr(start, end - start);
      records_.push_back(
          {.bytes = bytes, .offset = offset++, .now = now, .is_documented_form = true});
      start = end;
    }
  }
  if (!records_.empty()) positions_.push_back({std::string(kSourceName), offset, ""});
  slice_ = {0, records_, positions_};
  return Batch{{&slice_, 1}, false};
}

Result<void> IntakeQueue::seek(PartitionId /*partition*/, std::span<const Position> committed) {
  const auto known = std::find_if(committed.begin(), committed.end(), [](const Position& position) {
    return position.source == kSourceName;
  });
  const Offset next = known == committed.end() ? 0 : known->next;
  if (next != next_ && !in_flight_.empty()) {
    // The commit nobody could vouch for did happen; its outcomes are lost with the answer.
    give_up_polled({ErrorKind::unknown_outcome,
                    "the events are stored, but what became of each is not known"});
    release(load_of(in_flight_));
    in_flight_.clear();
  }
  next_ = next;
  return {};
}

void IntakeQueue::wait_for_submission(Milliseconds patience) {
  std::unique_lock lock(mutex_);
  arrived_.wait_for(lock, patience, [&] { return !waiting_.empty(); });
}

void IntakeQueue::committed(std::span<const Outcome> outcomes,
                            std::span<const std::uint32_t> known_late) {
  CHECK(outcomes.size() == records_.size());
  std::size_t start = 0;
  for (Waiting& waiting : in_flight_) {
    const auto mine = outcomes.subspan(start, waiting.submission.ends.size());
    Submitted submitted;
    submitted.outcomes.assign(mine.begin(), mine.end());
    while (!known_late.empty() && known_late.front() < start + mine.size()) {
      submitted.known_late.push_back(known_late.front() - static_cast<std::uint32_t>(start));
      known_late = known_late.subspan(1);
    }
    start += mine.size();
    if (tracer_.is_on()) trace(waiting.submission);
    if (waiting.done) waiting.done(std::move(submitted));
  }
  next_ += static_cast<Offset>(start);
  release(load_of(in_flight_));
  in_flight_.clear();
}

// The commit, as the request's own part of it.
void IntakeQueue::trace(const Submission& submission) const {
  if (!submission.is_traced || !tracer_.takes_span()) return;
  const auto parent = parse_traceparent(submission.traceparent);
  if (!parent) return;
  Span span;
  span.context = {parent->trace, random_span(), parent->flags};
  span.parent = parent->span;
  span.kind = SpanKind::client;
  span.name = "INSERT device_events_cleaned";
  span.start = polled_at_;
  span.end = std::chrono::system_clock::now();
  span.attributes = {
      {"db.system.name", std::string("sqlite")},
      {"db.operation.name", std::string("INSERT")},
      {"db.collection.name", std::string("device_events_cleaned")},
      {"db.operation.batch.size", static_cast<std::int64_t>(submission.ends.size())}};
  tracer_.add(std::move(span));
}

void IntakeQueue::close(const Error& reason) {
  std::deque<Waiting> refused;
  {
    const std::lock_guard lock(mutex_);
    is_open_ = false;
    closed_because_ = reason;
    refused.swap(waiting_);
  }
  answer(refused, reason);
  release(load_of(refused));
}

void IntakeQueue::open() {
  const std::lock_guard lock(mutex_);
  is_open_ = true;
}

void IntakeQueue::give_up_polled(const Error& reason) {
  answer(in_flight_, reason);
}

void IntakeQueue::answer(std::deque<Waiting>& all, const Error& error) {
  for (Waiting& waiting : all) {
    if (waiting.done) std::exchange(waiting.done, nullptr)(Failure(error));
  }
}

IntakeLoad IntakeQueue::load() const {
  const std::lock_guard lock(mutex_);
  return held_;
}

void IntakeQueue::release(const IntakeLoad& load) {
  const std::lock_guard lock(mutex_);
  held_.records -= load.records;
  held_.bytes -= load.bytes;
}

}  // namespace dwell
