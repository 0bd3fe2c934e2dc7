#include "app/process/metrics.h"

#include <fmt/format.h>
#include <prometheus/text_serializer.h>

namespace dwell {
namespace {

const prometheus::Histogram::BucketBoundaries kSeconds = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
                                                          0.05,   0.1,   0.25,   0.5,   1,    2.5};

prometheus::Family<prometheus::Counter>& counter(prometheus::Registry& registry, const char* name,
                                                 const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}

prometheus::Gauge& gauge(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add({});
}

prometheus::Family<prometheus::Histogram>& histogram(prometheus::Registry& registry,
                                                     const char* name, const char* help) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry);
}

double seconds(std::chrono::nanoseconds duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace

Metrics::Metrics()
    : batches_(counter(registry_, "dwell_batches_total", "Batches committed").Add({})),
      failures_(counter(registry_, "dwell_commit_failures_total", "Commits that failed").Add({})),
      gaps_(counter(registry_, "dwell_input_gaps_total",
                    "Times that input was lost before it could be read")
                .Add({})),
      miskeyed_(counter(registry_, "dwell_miskeyed_records_total",
                        "Records whose key is not their device id")
                    .Add({})),
      late_(counter(registry_, "dwell_late_events_total",
                    "In arrival order: accepted events older than the last one of their device")
                .Add({})),
      topic_looks_(counter(registry_, "dwell_topic_looks_total",
                           "Times that the brokers told how the topics are")
                       .Add({})),
      partitions_(gauge(registry_, "dwell_partitions", "Partitions held and restored")),
      devices_(gauge(registry_, "dwell_devices", "Devices ever seen, of the partitions held")),
      lag_(
          prometheus::BuildGauge()
              .Name("dwell_consumer_lag_records")
              .Help("Records of a partition that are not committed yet, as far as the brokers told")
              .Register(registry_)),
      commit_seconds_(histogram(registry_, "dwell_commit_seconds", "Time to make a batch durable")
                          .Add({}, kSeconds)),
      requests_(counter(registry_, "dwell_http_requests_total", "Requests answered")),
      request_seconds_(histogram(registry_, "dwell_http_request_seconds",
                                 "Time from a request's first byte to its answer")) {
  auto& records = counter(registry_, "dwell_records_total", "Records committed, by outcome");
  for (std::size_t i = 0; i < kOutcomeCount; ++i) {
    records_[i] = &records.Add({{"outcome", std::string(kOutcomeNames[i])}});
  }
  auto& dropped = counter(registry_, "dwell_telemetry_dropped_total",
                          "Spans and lines of the log that could not be sent over OTLP, and times "
                          "that metrics could not");
  for (const Signal signal : kSignals) {
    dropped_counters_[static_cast<std::size_t>(signal)] =
        &dropped.Add({{"signal", std::string(name(signal))}});
  }
  stored_ = &records.Add({{"outcome", "stored"}});
  not_cleaned_ = &records.Add({{"outcome", "not_cleaned"}});
}

void Metrics::watch_dropped(std::function<std::uint64_t(Signal)> dropped) {
  const std::lock_guard lock(lag_mutex_);
  dropped_ = std::move(dropped);
}

void Metrics::holds(const std::string& task, std::size_t partitions, std::size_t devices) {
  const std::lock_guard lock(mutex_);
  held_[task] = {partitions, devices};
  Held all;
  for (const auto& [name, held] : held_) {
    all.partitions += held.partitions;
    all.devices += held.devices;
  }
  partitions_.Set(static_cast<double>(all.partitions));
  devices_.Set(static_cast<double>(all.devices));
}

void Metrics::committed(const Unit& unit) {
  std::array<std::uint64_t, kOutcomeCount> counts{};
  for (const Outcome outcome : unit.outcomes) ++counts[static_cast<std::size_t>(outcome)];
  for (std::size_t i = 0; i < kOutcomeCount; ++i) {
    if (counts[i]) records_[i]->Increment(static_cast<double>(counts[i]));
  }
  batches_.Increment();
  if (unit.late) late_.Increment(static_cast<double>(unit.late));
  if (!unit.miskeyed.empty()) miskeyed_.Increment(static_cast<double>(unit.miskeyed.size()));
}

void Metrics::stored(std::uint64_t changes, std::uint64_t not_cleaned) {
  if (changes) stored_->Increment(static_cast<double>(changes));
  if (not_cleaned) not_cleaned_->Increment(static_cast<double>(not_cleaned));
  batches_.Increment();
}

void Metrics::commit_took(std::chrono::nanoseconds duration) {
  commit_seconds_.Observe(seconds(duration));
}

void Metrics::commit_failed() {
  failures_.Increment();
}

std::size_t Metrics::add_lags(std::function<std::vector<Lag>()> lags) {
  const std::lock_guard lock(lag_mutex_);
  lags_[next_lags_] = std::move(lags);
  return next_lags_++;
}

void Metrics::remove_lags(std::size_t number) {
  const std::lock_guard lock(lag_mutex_);
  lags_.erase(number);
}

void Metrics::gap() {
  gaps_.Increment();
}

void Metrics::looked_at_topics() {
  topic_looks_.Increment();
}

void Metrics::replied(std::string_view route, unsigned status, std::chrono::nanoseconds duration) {
  auto& counter = request_counters_[{route, status}];
  if (!counter) {
    counter =
        &requests_.Add({{"route", std::string(route)}, {"status", fmt::format("{}", status)}});
  }
  counter->Increment();
  auto& took = request_histograms_[route];
  if (!took) took = &request_seconds_.Add({{"route", std::string(route)}}, kSeconds);
  took->Observe(seconds(duration));
}

std::string Metrics::text() {
  return prometheus::TextSerializer().Serialize(collect());
}

std::vector<prometheus::MetricFamily> Metrics::collect() {
  const std::lock_guard lock(lag_mutex_);
  std::vector<prometheus::Gauge*> gauges;
  for (const auto& [number, lags] : lags_) {
    for (const auto& [topic, partition, records] : lags()) {
      gauges.push_back(&lag_.Add({{"topic", topic}, {"partition", fmt::format("{}", partition)}}));
      gauges.back()->Set(static_cast<double>(records));
    }
  }
  for (const Signal signal : kSignals) {
    Counter& counter = *dropped_counters_[static_cast<std::size_t>(signal)];
    if (dropped_) counter.Increment(static_cast<double>(dropped_(signal)) - counter.Value());
  }
  auto families = registry_.Collect();
  for (prometheus::Gauge* gauge : gauges) lag_.Remove(gauge);
  return families;
}

}  // namespace dwell
