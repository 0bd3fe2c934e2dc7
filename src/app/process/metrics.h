#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <string>
#include <string_view>
#include <vector>

#include "app/process/stage_metrics.h"
#include "ports/intake.h"
#include "telemetry/otel_settings.h"

namespace dwell {

// What /metrics shows and OTLP sends. The label sets are bounded: stages, outcomes, routes and
// statuses are fixed lists. Any thread.
class Metrics {
 public:
  explicit Metrics(const char* version = "");

  // Made when it is first asked for, with all that it counts at 0.
  StageMetrics& stage(StageName name);

  // How far a partition's reader is behind.
  struct Lag {
    std::string topic;
    PartitionId partition;
    std::int64_t records;  // that are not committed yet
    double seconds = 0;    // since the last of those committed was received
  };
  // Asked for by text(), until it is removed: no call lasts longer. Gives the number of `lags`.
  std::size_t add_lags(std::function<std::vector<Lag>()> lags);
  void remove_lags(std::size_t number);

  // Something that is read when metrics are asked for.
  struct Reading {
    const char* name;
    const char* help;
    double value;
    prometheus::Labels labels = {};
  };
  // The same for readings, until what it returns is let go.
  [[nodiscard]] std::shared_ptr<void> add_readings(std::function<std::vector<Reading>()> readings);

  void gap();
  // The brokers have told how the topics are.
  void looked_at_topics();
  void replied(std::string_view route, unsigned status, std::chrono::nanoseconds duration);
  // Of the seconds that questions wait for a connection to the database; made at the first call.
  prometheus::Histogram& connection_wait();

  // Shows what an intake holds, until what it returns is let go.
  [[nodiscard]] std::shared_ptr<void> show(const Intake& intake);

  // How many of a signal could not be sent, until now; asked for by text(), until it is called with
  // nothing.
  void watch_dropped(std::function<std::uint64_t(Signal)> dropped);

  std::string text();  // Prometheus text format 0.0.4
  std::vector<prometheus::MetricFamily> collect();

 private:
  using Counter = prometheus::Counter;
  using Gauge = prometheus::Gauge;
  template <typename T>
  using Asked = std::map<std::size_t, std::function<std::vector<T>()>>;  // by number

  prometheus::Registry registry_;
  Counter& gaps_;
  Counter& topic_looks_;
  prometheus::Family<Counter>& requests_;
  prometheus::Family<prometheus::Histogram>& request_seconds_;

  std::mutex mutex_;  // for what follows
  std::array<std::unique_ptr<StageMetrics>, kStageCount> stages_;
  Asked<Lag> lags_;
  Asked<Reading> readings_;
  std::size_t next_number_ = 0;
  std::function<std::uint64_t(Signal)> dropped_;
  std::array<Counter*, kSignals.size()> dropped_counters_{};

  // Looked up once each; the server's thread alone.
  std::map<std::pair<std::string_view, unsigned>, Counter*> request_counters_;
  std::map<std::string_view, prometheus::Histogram*> request_histograms_;
};

}  // namespace dwell
