// libdwell_otlp.so: telemetry as OTLP, by OpenTelemetry's SDK. A library of its own, loaded once an
// endpoint is set: the SDK brings some sixty libraries, and every start would pay for them.
#include "telemetry/exporter.h"

#include <algorithm>
#include <charconv>
#include <functional>
#include <mutex>
#include <opentelemetry/exporters/otlp/otlp_grpc_exporter_factory.h>
#include <opentelemetry/exporters/otlp/otlp_grpc_exporter_options.h>
#include <opentelemetry/exporters/otlp/otlp_grpc_log_record_exporter_factory.h>
#include <opentelemetry/exporters/otlp/otlp_grpc_log_record_exporter_options.h>
#include <opentelemetry/exporters/otlp/otlp_grpc_metric_exporter_factory.h>
#include <opentelemetry/exporters/otlp/otlp_grpc_metric_exporter_options.h>
#include <opentelemetry/exporters/otlp/otlp_http_exporter_factory.h>
#include <opentelemetry/exporters/otlp/otlp_http_exporter_options.h>
#include <opentelemetry/exporters/otlp/otlp_http_log_record_exporter_factory.h>
#include <opentelemetry/exporters/otlp/otlp_http_log_record_exporter_options.h>
#include <opentelemetry/exporters/otlp/otlp_http_metric_exporter_factory.h>
#include <opentelemetry/exporters/otlp/otlp_http_metric_exporter_options.h>
#include <opentelemetry/sdk/common/global_log_handler.h>
#include <opentelemetry/sdk/instrumentationscope/instrumentation_scope.h>
#include <opentelemetry/sdk/logs/exporter.h>
#include <opentelemetry/sdk/logs/read_write_log_record.h>
#include <opentelemetry/sdk/metrics/export/metric_producer.h>
#include <opentelemetry/sdk/metrics/push_metric_exporter.h>
#include <opentelemetry/sdk/resource/resource.h>
#include <opentelemetry/sdk/trace/exporter.h>
#include <opentelemetry/trace/span_context.h>
#include <optional>
#include <string>

namespace dwell {
namespace {

namespace otel = opentelemetry;
namespace otlp = opentelemetry::exporter::otlp;
using otel::sdk::common::ExportResult;
using otel::sdk::instrumentationscope::InstrumentationScope;
using otel::sdk::resource::Resource;

constexpr const char* kScope = "dwell";
constexpr const char* kSchema = "https://opentelemetry.io/schemas/1.44.0";

// What the SDK says of a try goes to its log alone: Export() of the exporters for HTTP gives
// kSuccess whatever becomes of it (1.19), and Retry-After is only there. The exporter's own line
// comes on the thread that exports, the transport's, with the reason, before it and on any thread.
class Outcomes final : public otel::sdk::common::internal_log::LogHandler {
 public:
  void Handle(otel::sdk::common::internal_log::LogLevel level, const char*, int, const char* text,
              const otel::sdk::common::AttributeMap&) noexcept override {
    using otel::sdk::common::internal_log::LogLevel;
    if (level != LogLevel::Error || !text) return;
    const std::string_view line(text);
    const std::lock_guard lock(mutex_);
    if (is_exporting && line.find("Exporter]") != std::string_view::npos) has_failed = true;
    if (line.find("Client]") != std::string_view::npos) reason_ = line;
    if (reason_.empty()) reason_ = line;
  }

  Sent of(const std::function<ExportResult()>& export_it) {
    {
      const std::lock_guard lock(mutex_);
      reason_.clear();
    }
    has_failed = false;
    is_exporting = true;
    const ExportResult result = export_it();
    is_exporting = false;
    if (result == ExportResult::kSuccess && !has_failed) return {};
    const std::lock_guard lock(mutex_);
    return failed(reason_);
  }

 private:
  // The number behind `name` in a line of the transport.
  static std::optional<int> number_after(std::string_view line, std::string_view name) {
    const auto at = line.find(name);
    if (at == std::string_view::npos) return {};
    const char* begin = line.data() + at + name.size();
    int number = 0;
    const auto read = std::from_chars(begin, line.data() + line.size(), number);
    if (read.ec != std::errc()) return {};
    return number;
  }

  // https://opentelemetry.io/docs/specs/otlp/#failures
  static Sent failed(std::string_view line) {
    constexpr std::size_t kLongestReason = 300;
    Sent sent;
    const auto status = number_after(line, "Status:");
    const bool is_final = status && *status != 429 && (*status < 502 || *status > 504);
    sent.kind = is_final ? Sent::Kind::refused : Sent::Kind::later;
    if (const auto wait = number_after(line, "Retry-After: ")) {
      constexpr int kLongestWait = 60;
      sent.wait = std::chrono::seconds(std::clamp(*wait, 0, kLongestWait));
    }
    if (const auto end = line.find("] "); line.starts_with('[') && end != std::string_view::npos) {
      line.remove_prefix(end + 2);  // where in the SDK it comes from
    }
    sent.why = status ? "it answers " + std::to_string(*status)
                      : std::string(line.substr(0, kLongestReason));
    return sent;
  }

  static thread_local bool is_exporting;
  static thread_local bool has_failed;
  std::mutex mutex_;
  std::string reason_;
};
thread_local bool Outcomes::is_exporting = false;
thread_local bool Outcomes::has_failed = false;

otel::trace::SpanContext context_of(const TraceContext& context) {
  return {otel::trace::TraceId(context.trace), otel::trace::SpanId(context.span),
          otel::trace::TraceFlags(context.flags), false};
}

otel::trace::SpanKind kind_of(SpanKind kind) {
  switch (kind) {
    case SpanKind::internal:
      return otel::trace::SpanKind::kInternal;
    case SpanKind::server:
      return otel::trace::SpanKind::kServer;
    case SpanKind::client:
      return otel::trace::SpanKind::kClient;
    case SpanKind::producer:
      return otel::trace::SpanKind::kProducer;
    case SpanKind::consumer:
      return otel::trace::SpanKind::kConsumer;
  }
  return otel::trace::SpanKind::kInternal;
}

otel::logs::Severity severity_of(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return otel::logs::Severity::kDebug;
    case LogLevel::info:
      return otel::logs::Severity::kInfo;
    case LogLevel::warning:
      return otel::logs::Severity::kWarn;
    case LogLevel::error:
      return otel::logs::Severity::kError;
  }
  return otel::logs::Severity::kInfo;
}

namespace metrics = otel::sdk::metrics;

metrics::PointAttributes attributes_of(const prometheus::ClientMetric& metric) {
  metrics::PointAttributes attributes;
  for (const auto& label : metric.label) attributes.SetAttribute(label.name, label.value);
  return attributes;
}

metrics::PointType point_of(prometheus::MetricType type, const prometheus::ClientMetric& metric) {
  if (type == prometheus::MetricType::Counter) {
    metrics::SumPointData sum;
    sum.value_ = metric.counter.value;
    return sum;
  }
  if (type == prometheus::MetricType::Histogram) {
    metrics::HistogramPointData histogram;
    std::uint64_t below = 0;
    for (const auto& bucket : metric.histogram.bucket) {
      histogram.counts_.push_back(bucket.cumulative_count - below);
      below = bucket.cumulative_count;
      if (bucket.upper_bound < std::numeric_limits<double>::infinity()) {
        histogram.boundaries_.push_back(bucket.upper_bound);
      }
    }
    // Of values above the last boundary.
    if (histogram.counts_.size() == histogram.boundaries_.size()) {
      histogram.counts_.push_back(metric.histogram.sample_count - below);
    }
    histogram.sum_ = metric.histogram.sample_sum;
    histogram.count_ = metric.histogram.sample_count;
    histogram.record_min_max_ = false;
    return histogram;
  }
  metrics::LastValuePointData value;
  value.value_ = metric.gauge.value;
  value.is_lastvalue_valid_ = true;
  value.sample_ts_ = std::chrono::system_clock::now();
  return value;
}

// By the conventions of Prometheus the name ends in the unit.
std::string unit_of(std::string_view name) {
  if (name.ends_with("_total")) name.remove_suffix(std::string_view("_total").size());
  if (name.ends_with("_seconds")) return "s";
  if (name.ends_with("_bytes")) return "By";
  return "1";
}

metrics::InstrumentType instrument_of(prometheus::MetricType type) {
  if (type == prometheus::MetricType::Counter) return metrics::InstrumentType::kObservableCounter;
  if (type == prometheus::MetricType::Histogram) return metrics::InstrumentType::kHistogram;
  return metrics::InstrumentType::kObservableGauge;
}

class OtlpExporter final : public TelemetryExporter {
 public:
  explicit OtlpExporter(const ExporterOptions& options)
      : scope_(InstrumentationScope::Create(kScope, "", kSchema)) {
    namespace log = otel::sdk::common::internal_log;
    log::GlobalLogHandler::SetLogHandler(
        otel::nostd::shared_ptr<log::LogHandler>(outcomes_ = new Outcomes()));
    otel::sdk::resource::ResourceAttributes attributes;
    for (const auto& [name, value] : options.resource) attributes.SetAttribute(name, value);
    resource_ = std::make_unique<Resource>(Resource::Create(attributes, kSchema));
    spans_ = options.uses_grpc_for_spans ? otlp::OtlpGrpcExporterFactory::Create()
                                         : otlp::OtlpHttpExporterFactory::Create();
    lines_ = options.uses_grpc_for_logs ? otlp::OtlpGrpcLogRecordExporterFactory::Create()
                                        : otlp::OtlpHttpLogRecordExporterFactory::Create();
    metrics_ = options.uses_grpc_for_metrics ? otlp::OtlpGrpcMetricExporterFactory::Create()
                                             : otlp::OtlpHttpMetricExporterFactory::Create();
  }

  Sent send(std::span<const Span> spans) override {
    std::vector<std::unique_ptr<otel::sdk::trace::Recordable>> all;
    all.reserve(spans.size());
    for (const Span& span : spans) all.push_back(recordable_of(span));
    return outcomes_->of([&] { return spans_->Export({all.data(), all.size()}); });
  }

  Sent send(std::span<const LogLine> lines) override {
    std::vector<std::unique_ptr<otel::sdk::logs::Recordable>> all;
    all.reserve(lines.size());
    for (const LogLine& line : lines) {
      auto& record = *all.emplace_back(lines_->MakeRecordable());
      record.SetResource(*resource_);
      record.SetInstrumentationScope(*scope_);
      record.SetTimestamp(otel::common::SystemTimestamp(line.time));
      record.SetObservedTimestamp(otel::common::SystemTimestamp(line.time));
      record.SetSeverity(severity_of(line.level));
      record.SetBody(otel::nostd::string_view(line.text.data(), line.text.size()));
      if (line.context == TraceContext()) continue;
      const auto context = context_of(line.context);
      record.SetTraceId(context.trace_id());
      record.SetSpanId(context.span_id());
      record.SetTraceFlags(context.trace_flags());
    }
    return outcomes_->of([&] { return lines_->Export({all.data(), all.size()}); });
  }

  Sent send(const std::vector<prometheus::MetricFamily>& families,
            std::chrono::system_clock::time_point start) override {
    std::vector<metrics::MetricData> all;
    const otel::common::SystemTimestamp now(std::chrono::system_clock::now());
    for (const prometheus::MetricFamily& family : families) {
      if (family.metric.empty()) continue;
      metrics::MetricData data;
      data.instrument_descriptor = {family.name, family.help, "", instrument_of(family.type),
                                    metrics::InstrumentValueType::kDouble};
      data.instrument_descriptor.unit_ = unit_of(family.name);
      data.aggregation_temporality = metrics::AggregationTemporality::kCumulative;
      data.start_ts = start;
      data.end_ts = now;
      for (const auto& metric : family.metric) {
        data.point_data_attr_.push_back({attributes_of(metric), point_of(family.type, metric)});
      }
      all.push_back(std::move(data));
    }
    metrics::ResourceMetrics resource;
    resource.resource_ = resource_.get();
    resource.scope_metric_data_.emplace_back(scope_.get(), std::move(all));
    return outcomes_->of([&] { return metrics_->Export(resource); });
  }

 private:
  std::unique_ptr<otel::sdk::trace::Recordable> recordable_of(const Span& span) {
    auto record = spans_->MakeRecordable();
    record->SetIdentity(context_of(span.context), otel::trace::SpanId(span.parent));
    record->SetTraceFlags(otel::trace::TraceFlags(span.context.flags));
    record->SetResource(*resource_);
    record->SetInstrumentationScope(*scope_);
    record->SetName(span.name);
    record->SetSpanKind(kind_of(span.kind));
    record->SetStartTime(otel::common::SystemTimestamp(span.start));
    record->SetDuration(span.end - span.start);
    for (const auto& [name, value] : span.attributes) {
      const otel::nostd::string_view key(name.data(), name.size());
      if (const auto* number = std::get_if<std::int64_t>(&value)) {
        record->SetAttribute(key, *number);
      } else {
        record->SetAttribute(key, std::get<std::string>(value).c_str());
      }
    }
    for (const TraceContext& link : span.links) {
      record->AddLink(context_of(link), otel::common::NoopKeyValueIterable());
    }
    if (!span.error.empty()) record->SetStatus(otel::trace::StatusCode::kError, span.error);
    return record;
  }

  Outcomes* outcomes_ = nullptr;  // the SDK's
  std::unique_ptr<InstrumentationScope> scope_;
  std::unique_ptr<Resource> resource_;
  std::unique_ptr<otel::sdk::trace::SpanExporter> spans_;
  std::unique_ptr<otel::sdk::logs::LogRecordExporter> lines_;
  std::unique_ptr<otel::sdk::metrics::PushMetricExporter> metrics_;
};

}  // namespace
}  // namespace dwell

extern "C" [[gnu::visibility("default")]] dwell::TelemetryExporter* dwell_make_otlp_exporter(
    const dwell::ExporterOptions& options) {
  return new dwell::OtlpExporter(options);
}
