#include "app/process/stage_metrics.h"

#include <algorithm>

#include "app/process/metric_families.h"

namespace dwell {
namespace {

constexpr std::array<std::string_view, kStageCount> kStageNames = {"embedded", "clean", "hop",
                                                                   "store", "devices"};
// By ErrorKind. Several kinds are one reason.
constexpr std::array kFailures = {"refused", "refused", "retried", "aborted",
                                  "unknown", "fenced",  "refused"};

// From a network's round trip to a backlog.
constexpr std::array<std::int64_t, 16> kAgesMs = {5,      10,      25,      50,     100,    250,
                                                  500,    1'000,   2'500,   5'000,  10'000, 30'000,
                                                  60'000, 120'000, 300'000, 600'000};

// The same in seconds.
prometheus::Histogram::BucketBoundaries long_seconds() {
  prometheus::Histogram::BucketBoundaries bounds;
  for (const std::int64_t ms : kAgesMs) bounds.push_back(static_cast<double>(ms) / 1'000);
  return bounds;
}

void add(prometheus::Counter* counter, std::uint64_t count) {
  if (count > 0) counter->Increment(static_cast<double>(count));
}

}  // namespace

std::string_view name(StageName stage) {
  return kStageNames[static_cast<std::size_t>(stage)];
}

// How long ago events were, by bucket: the histogram is told of a batch at once.
class StageMetrics::Ages {
 public:
  explicit Ages(Timestamp now) : now_ms_(to_ms(now)) {}

  void add(Timestamp time) {
    const std::int64_t age = now_ms_ - to_ms(time);
    if (age < 0) ++ahead_;
    sum_ms_ += static_cast<double>(std::max<std::int64_t>(0, age));
    // Neighbours are about as old.
    const bool is_same = (bucket_ == 0 || age > kAgesMs[bucket_ - 1]) &&
                         (bucket_ == kAgesMs.size() || age <= kAgesMs[bucket_]);
    if (!is_same) {
      bucket_ = static_cast<std::size_t>(std::lower_bound(kAgesMs.begin(), kAgesMs.end(), age) -
                                         kAgesMs.begin());
    }
    ++counts_[bucket_];
  }

  void tell(prometheus::Histogram& histogram, prometheus::Counter& ahead) const {
    histogram.ObserveMultiple({counts_.begin(), counts_.end()}, sum_ms_ / 1'000);
    if (ahead_ > 0) ahead.Increment(static_cast<double>(ahead_));
  }

 private:
  std::int64_t now_ms_;
  std::size_t bucket_ = 0;  // of the last one
  std::array<double, kAgesMs.size() + 1> counts_{};
  double sum_ms_ = 0;
  std::uint64_t ahead_ = 0;
};

StageMetrics::StageMetrics(prometheus::Registry& registry, StageName stage) {
  const prometheus::Labels labels = {{"stage", std::string(name(stage))}};
  const auto counter = [&](const char* name, const char* help) {
    return &counters(registry, name, help).Add(labels);
  };
  const auto gauge = [&](const char* name, const char* help) {
    return &gauges(registry, name, help).Add(labels);
  };
  const auto histogram = [&](const char* name, const char* help, const auto& bounds) {
    return &histograms(registry, name, help).Add(labels, bounds);
  };
  const bool folds = stage == StageName::embedded || stage == StageName::clean;
  const bool is_store = stage == StageName::store;

  auto& records = counters(registry, "dwell_records_total", "Records committed, by outcome");
  const auto outcome = [&](std::string_view of) {
    return &records.Add({{"outcome", std::string(of)}, {"stage", std::string(name(stage))}});
  };
  if (folds) {
    for (std::size_t i = 0; i < kOutcomeCount; ++i) records_[i] = outcome(kOutcomeNames[i]);
  } else {
    stored_ = outcome(stage == StageName::hop ? "copied" : "stored");
  }
  if (is_store) not_cleaned_ = outcome("not_cleaned");
  batches_ = counter("dwell_batches_total", "Batches committed");
  auto& failures = counters(registry, "dwell_commit_failures_total", "Commits that failed");
  for (std::size_t i = 0; i < kFailures.size(); ++i) {
    failures_[i] = &failures.Add({{"reason", kFailures[i]}, {"stage", std::string(name(stage))}});
  }
  went_back_ = counter("dwell_restarts_from_commit_total",
                       "Times that a stage went back to what was committed last");
  commit_seconds_ =
      histogram("dwell_commit_seconds", "Time to make a batch durable", kShortSeconds);
  partitions_ = gauge("dwell_partitions", "Partitions held and restored");
  restore_seconds_ =
      histogram("dwell_restore_seconds", "Time to read what is committed of partitions that came",
                long_seconds());
  if (stage != StageName::embedded) {
    rebalances_ =
        counter("dwell_rebalances_total", "Times that partitions came to a member or left it");
  }
  if (folds) {
    devices_ = gauge("dwell_devices", "Devices ever seen, of the partitions held");
    state_bytes_ = gauge("dwell_state_bytes", "Memory of what is held of devices");
    late_ = counter("dwell_late_events_total",
                    "In arrival order: accepted events older than the last one of their device");
    rejects_dropped_ = counter("dwell_rejects_dropped_total",
                               "Rejected records that were kept and dropped for a bound");
  }
  if (stage == StageName::clean) {
    miskeyed_ = counter("dwell_miskeyed_records_total", "Records whose key is not their device id");
    checkpoints_ = counter("dwell_checkpoints_total",
                           "Checkpoints of a partition's devices in the state topic");
  }
  if (!folds && !is_store) return;
  rejects_kept_ = counter("dwell_rejects_kept_total",
                          "Rejected records that were kept: in the database or the rejected topic");
  end_to_end_ = histogram("dwell_end_to_end_seconds",
                          "From the time of an event to when its row, or what leads to it, is "
                          "durable in this stage",
                          long_seconds());
  ahead_ = counter("dwell_events_ahead_total",
                   "Events whose time was ahead of this clock when they were durable; 0 seconds");
  if (!is_store) return;
  rows_ = {
      counter("dwell_store_inserts_total", "Inserts of rows"),
      counter("dwell_store_retracts_total", "Retracts of rows"),
      counter("dwell_store_absorbed_total", "Inserts whose row was there already"),
      counter("dwell_store_faults_total", "Retracts that found no row"),
      counter("dwell_store_expired_total", "Retracts of rows that retention may have deleted")};
}

void StageMetrics::hold(double partitions, double devices, double state_bytes) {
  partitions_->Increment(partitions);
  if (!devices_) return;
  devices_->Increment(devices);
  state_bytes_->Increment(state_bytes);
}

void StageMetrics::committed(const Unit& unit, Timestamp now) {
  std::array<std::uint64_t, kOutcomeCount> counts{};
  for (const Outcome outcome : unit.outcomes) ++counts[static_cast<std::size_t>(outcome)];
  for (std::size_t i = 0; i < kOutcomeCount; ++i) add(records_[i], counts[i]);
  batches_->Increment();
  add(late_, unit.late);
  if (miskeyed_) add(miskeyed_, unit.miskeyed.size());
  Ages ages(now);
  for (const CleanedRecord& cleaned : unit.changes) {
    if (cleaned.change.operation == Operation::insert) ages.add(cleaned.change.timestamp);
  }
  ages.tell(*end_to_end_, *ahead_);
}

void StageMetrics::stored(std::uint64_t records, std::uint64_t not_cleaned) {
  add(stored_, records);
  batches_->Increment();
  if (!not_cleaned_) return;
  add(not_cleaned_, not_cleaned);
  add(rejects_kept_, not_cleaned);
}

void StageMetrics::stored_rows(const RowCounts& rows, std::span<const Timestamp> times,
                               Timestamp now) {
  if (!rows_[0]) return;
  const std::array counts = {rows.inserts, rows.retracts, rows.absorbed, rows.faults, rows.expired};
  for (std::size_t i = 0; i < counts.size(); ++i) add(rows_[i], counts[i]);
  Ages ages(now);
  for (const Timestamp time : times) ages.add(time);
  ages.tell(*end_to_end_, *ahead_);
}

void StageMetrics::commit_took(std::chrono::nanoseconds duration) {
  commit_seconds_->Observe(in_seconds(duration));
}

void StageMetrics::commit_failed(ErrorKind kind) {
  failures_[static_cast<std::size_t>(kind)]->Increment();
}

void StageMetrics::went_back() {
  went_back_->Increment();
}

void StageMetrics::kept(const CommitCounts& counts) {
  if (checkpoints_) add(checkpoints_, counts.checkpoints);
  if (!rejects_dropped_) return;
  add(rejects_kept_, counts.rejects_kept);
  add(rejects_dropped_, counts.rejects_dropped);
}

void StageMetrics::rebalanced() {
  if (rebalances_) rebalances_->Increment();
}

void StageMetrics::restored(std::chrono::nanoseconds duration) {
  restore_seconds_->Observe(in_seconds(duration));
}

}  // namespace dwell
