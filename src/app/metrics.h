#pragma once

#include <array>
#include <chrono>
#include <map>
#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <string>
#include <string_view>

#include "core/fold.h"

namespace dwell {

// What /metrics shows. The label sets are bounded: outcomes, routes and statuses are fixed lists.
// Any thread.
class Metrics {
 public:
  Metrics();

  void committed(const Unit& unit, std::size_t devices);
  void commit_took(std::chrono::nanoseconds duration);
  void commit_failed();
  void gap();
  void replied(std::string_view route, unsigned status, std::chrono::nanoseconds duration);

  std::string text() const;  // Prometheus text format 0.0.4

 private:
  using Counter = prometheus::Counter;

  prometheus::Registry registry_;
  std::array<Counter*, kOutcomeCount> records_;
  Counter& batches_;
  Counter& failures_;
  Counter& gaps_;
  prometheus::Gauge& devices_;
  prometheus::Histogram& commit_seconds_;
  prometheus::Family<Counter>& requests_;
  prometheus::Family<prometheus::Histogram>& request_seconds_;

  // Looked up once each; the server's thread alone.
  std::map<std::pair<std::string_view, unsigned>, Counter*> request_counters_;
  std::map<std::string_view, prometheus::Histogram*> request_histograms_;
};

}  // namespace dwell
