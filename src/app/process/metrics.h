#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <string>
#include <string_view>
#include <vector>

#include "core/fold.h"
#include "telemetry/otel_settings.h"

namespace dwell {

// What /metrics shows. The label sets are bounded: outcomes, routes and statuses are fixed lists.
// Any thread.
class Metrics {
 public:
  Metrics();

  // What the task of that name holds. One that ends holds nothing.
  void holds(const std::string& task, std::size_t partitions, std::size_t devices);
  void committed(const Unit& unit);
  // A batch is in the database: so many changes of rows, and records that were no change.
  void stored(std::uint64_t changes, std::uint64_t not_cleaned);
  void commit_took(std::chrono::nanoseconds duration);
  void commit_failed();
  // How many records of a partition are not committed yet.
  struct Lag {
    std::string topic;
    PartitionId partition;
    std::int64_t records;
  };
  // Asked for by text(), until it is removed: no call lasts longer. Gives the number of `lags`.
  std::size_t add_lags(std::function<std::vector<Lag>()> lags);
  void remove_lags(std::size_t number);
  void gap();
  // The brokers have told how the topics are.
  void looked_at_topics();
  void replied(std::string_view route, unsigned status, std::chrono::nanoseconds duration);

  // How many of a signal could not be sent, until now; asked for by text(), until it is called with
  // nothing.
  void watch_dropped(std::function<std::uint64_t(Signal)> dropped);

  std::string text();  // Prometheus text format 0.0.4
  std::vector<prometheus::MetricFamily> collect();

 private:
  using Counter = prometheus::Counter;

  prometheus::Registry registry_;
  std::array<Counter*, kOutcomeCount> records_;
  Counter* stored_ = nullptr;
  Counter* not_cleaned_ = nullptr;
  Counter& batches_;
  Counter& failures_;
  Counter& gaps_;
  Counter& miskeyed_;
  Counter& late_;
  Counter& topic_looks_;
  prometheus::Gauge& partitions_;
  prometheus::Gauge& devices_;
  prometheus::Family<prometheus::Gauge>& lag_;
  prometheus::Histogram& commit_seconds_;
  prometheus::Family<Counter>& requests_;
  prometheus::Family<prometheus::Histogram>& request_seconds_;

  struct Held {
    std::size_t partitions = 0;
    std::size_t devices = 0;
  };
  std::mutex mutex_;                  // for held_
  std::map<std::string, Held> held_;  // by task

  std::mutex lag_mutex_;  // for what follows
  std::map<std::size_t, std::function<std::vector<Lag>()>> lags_;
  std::size_t next_lags_ = 0;
  std::function<std::uint64_t(Signal)> dropped_;
  std::array<Counter*, kSignals.size()> dropped_counters_{};

  // Looked up once each; the server's thread alone.
  std::map<std::pair<std::string_view, unsigned>, Counter*> request_counters_;
  std::map<std::string_view, prometheus::Histogram*> request_histograms_;
};

}  // namespace dwell
