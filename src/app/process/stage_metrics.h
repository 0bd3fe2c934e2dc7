#pragma once

#include <array>
#include <chrono>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <span>
#include <string_view>

#include "core/fold.h"
#include "ports/observer.h"

namespace dwell {

// The stages of Dwell: the value of the label `stage`.
enum class StageName { embedded, clean, hop, store, devices };
inline constexpr std::size_t kStageCount = 5;

std::string_view name(StageName stage);

// What one stage of a process counts, all of its members together. Any thread.
class StageMetrics {
 public:
  StageMetrics(prometheus::Registry& registry, StageName stage);

  // What members hold; each adds what became more or less.
  void hold(double partitions, double devices, double state_bytes);
  // A unit is durable as of `now`.
  void committed(const Unit& unit, Timestamp now);
  // So many records are stored or copied, and so many were none that can be.
  void stored(std::uint64_t records, std::uint64_t not_cleaned);
  // Changes of rows are durable as of `now`; `times` are those of the rows inserted. Nothing but of
  // the store.
  void stored_rows(const RowCounts& rows, std::span<const Timestamp> times, Timestamp now);
  void commit_took(std::chrono::nanoseconds duration);
  void commit_failed(ErrorKind kind);
  void went_back();
  void kept(const CommitCounts& counts);
  void rebalanced();
  void restored(std::chrono::nanoseconds duration);

 private:
  using Counter = prometheus::Counter;
  class Ages;

  std::array<Counter*, kOutcomeCount> records_{};  // by outcome; of a stage that folds
  Counter* stored_ = nullptr;                      // of another one
  Counter* not_cleaned_ = nullptr;                 // of the store
  Counter* batches_;
  std::array<Counter*, 7> failures_{};  // by ErrorKind
  Counter* went_back_;
  prometheus::Histogram* commit_seconds_;
  prometheus::Histogram* restore_seconds_;
  Counter* rebalances_ = nullptr;  // of a stage whose partitions come with a group
  prometheus::Gauge* partitions_;
  // Of a stage that folds:
  prometheus::Gauge* devices_ = nullptr;
  prometheus::Gauge* state_bytes_ = nullptr;
  Counter* late_ = nullptr;
  Counter* miskeyed_ = nullptr;
  Counter* checkpoints_ = nullptr;
  Counter* rejects_dropped_ = nullptr;
  // Of one that folds or stores rows:
  Counter* rejects_kept_ = nullptr;
  prometheus::Histogram* end_to_end_ = nullptr;
  Counter* ahead_ = nullptr;
  // Of the store:
  std::array<Counter*, 5> rows_{};  // in the order of RowCounts
};

}  // namespace dwell
