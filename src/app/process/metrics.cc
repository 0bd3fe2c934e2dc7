#include "app/process/metrics.h"

#include <fmt/format.h>
#include <prometheus/text_serializer.h>

#include "app/process/metric_families.h"
#include "app/process/process_usage.h"

namespace dwell {
namespace {

// Gauges that are there for one collection.
class ShortLived {
 public:
  explicit ShortLived(prometheus::Registry& registry) : registry_(registry) {}
  ~ShortLived() {
    for (const auto& [family, gauge] : gauges_) family->Remove(gauge);
  }
  ShortLived(const ShortLived&) = delete;
  ShortLived& operator=(const ShortLived&) = delete;

  void add(const char* name, const char* help, const prometheus::Labels& labels, double value) {
    auto& family = gauges(registry_, name, help);
    gauges_.emplace_back(&family, &family.Add(labels));
    gauges_.back().second->Set(value);
  }

 private:
  prometheus::Registry& registry_;
  std::vector<std::pair<prometheus::Family<prometheus::Gauge>*, prometheus::Gauge*>> gauges_;
};

}  // namespace

Metrics::Metrics(const char* version)
    : gaps_(counters(registry_, "dwell_input_gaps_total",
                     "Times that input was lost before it could be read")
                .Add({})),
      topic_looks_(counters(registry_, "dwell_topic_looks_total",
                            "Times that the brokers told how the topics are")
                       .Add({})),
      requests_(counters(registry_, "dwell_http_requests_total", "Requests answered")),
      request_seconds_(histograms(registry_, "dwell_http_request_seconds",
                                  "Time from a request's first byte to its answer")) {
  gauges(registry_, "dwell_build_info", "1, with the release as a label")
      .Add({{"version", version}})
      .Set(1);
  auto& dropped = counters(registry_, "dwell_telemetry_dropped_total",
                           "Spans and lines of the log that could not be sent over OTLP, and times "
                           "that metrics could not");
  for (const Signal signal : kSignals) {
    dropped_counters_[static_cast<std::size_t>(signal)] =
        &dropped.Add({{"signal", std::string(name(signal))}});
  }
}

StageMetrics& Metrics::stage(StageName name) {
  const std::lock_guard lock(mutex_);
  auto& stage = stages_[static_cast<std::size_t>(name)];
  if (!stage) stage = std::make_unique<StageMetrics>(registry_, name);
  return *stage;
}

void Metrics::watch_dropped(std::function<std::uint64_t(Signal)> dropped) {
  const std::lock_guard lock(mutex_);
  dropped_ = std::move(dropped);
}

std::size_t Metrics::add_lags(std::function<std::vector<Lag>()> lags) {
  const std::lock_guard lock(mutex_);
  lags_[next_number_] = std::move(lags);
  return next_number_++;
}

void Metrics::remove_lags(std::size_t number) {
  const std::lock_guard lock(mutex_);
  lags_.erase(number);
}

std::shared_ptr<void> Metrics::add_readings(std::function<std::vector<Reading>()> readings) {
  const std::lock_guard lock(mutex_);
  const std::size_t number = next_number_++;
  readings_[number] = std::move(readings);
  return {this, [number](void* metrics) {
            auto& self = *static_cast<Metrics*>(metrics);
            const std::lock_guard lock(self.mutex_);
            self.readings_.erase(number);
          }};
}

std::shared_ptr<void> Metrics::show(const Intake& intake) {
  return add_readings([&intake]() -> std::vector<Reading> {
    const IntakeLoad load = intake.load();
    return {{"dwell_intake_records", "Posted records that are not durable yet",
             static_cast<double>(load.records)},
            {"dwell_intake_bytes", "Bytes of posted records that are not durable yet",
             static_cast<double>(load.bytes)}};
  });
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
  if (!took) took = &request_seconds_.Add({{"route", std::string(route)}}, kShortSeconds);
  took->Observe(in_seconds(duration));
}

prometheus::Histogram& Metrics::connection_wait() {
  return histograms(registry_, "dwell_database_wait_seconds",
                    "Time that a question waits for a connection to the database")
      .Add({}, kShortSeconds);
}

std::string Metrics::text() {
  return prometheus::TextSerializer().Serialize(collect());
}

std::vector<prometheus::MetricFamily> Metrics::collect() {
  const std::lock_guard lock(mutex_);
  ShortLived gauges(registry_);
  for (const auto& [number, lags] : lags_) {
    for (const auto& [topic, partition, records, seconds] : lags()) {
      const prometheus::Labels labels = {{"topic", topic},
                                         {"partition", fmt::format("{}", partition)}};
      gauges.add("dwell_consumer_lag_records",
                 "Records of a partition that are not committed yet, as far as the brokers told",
                 labels, static_cast<double>(records));
      gauges.add("dwell_consumer_lag_seconds",
                 "How long ago the last record of a partition that is committed was received, "
                 "while others wait",
                 labels, seconds);
    }
  }
  for (const auto& [number, readings] : readings_) {
    for (const Reading& reading : readings()) {
      gauges.add(reading.name, reading.help, reading.labels, reading.value);
    }
  }
  for (const Signal signal : kSignals) {
    Counter& counter = *dropped_counters_[static_cast<std::size_t>(signal)];
    if (dropped_) counter.Increment(static_cast<double>(dropped_(signal)) - counter.Value());
  }
  auto families = registry_.Collect();
  for (auto& family : process_usage()) families.push_back(std::move(family));
  return families;
}

}  // namespace dwell
