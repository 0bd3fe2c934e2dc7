#include "telemetry/otel_settings.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>

namespace dwell {
namespace {

constexpr std::array<std::string_view, kSignals.size()> kNames{"traces", "metrics", "logs"};
constexpr std::array<std::string_view, kSignals.size()> kUpperNames{"TRACES", "METRICS", "LOGS"};

std::vector<OtelVariable> make_variables() {
  std::vector<OtelVariable> all = {
      {"OTEL_SDK_DISABLED", "false", "true: nothing is sent, whatever else is set"},
      {"OTEL_SERVICE_NAME", "dwell", "service.name of all that is sent"},
      {"OTEL_RESOURCE_ATTRIBUTES", "none",
       "more attributes of the process, NAME=VALUE with commas"},
      {"OTEL_PROPAGATORS", "tracecontext", "only tracecontext and none are known"},
      {"OTEL_TRACES_SAMPLER", "parentbased_traceidratio for records, always for requests",
       "always_on, always_off, traceidratio, or one of them behind parentbased_"},
      {"OTEL_TRACES_SAMPLER_ARG", "0.01", "the ratio of traceidratio, 0 to 1"},
      {"OTEL_SPAN_LINK_COUNT_LIMIT", "128", "the most links of a span"},
      {"OTEL_BSP_SCHEDULE_DELAY", "5000", "ms between two batches of spans"},
      {"OTEL_BSP_MAX_QUEUE_SIZE", "2048", "spans that wait; more are dropped and counted"},
      {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "512", "the most spans of a batch"},
      {"OTEL_BLRP_SCHEDULE_DELAY", "1000", "ms between two batches of lines of the log"},
      {"OTEL_BLRP_MAX_QUEUE_SIZE", "2048", "lines that wait; more are dropped and counted"},
      {"OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "512", "the most lines of a batch"},
      {"OTEL_METRIC_EXPORT_INTERVAL", "60000", "ms between two times that metrics are sent"},
      {"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "cumulative", "only cumulative"},
      {"OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", "explicit_bucket_histogram",
       "only explicit_bucket_histogram"},
  };
  struct Each {
    const char* name;
    const char* fallback;
    const char* meaning;
    bool is_secret = false;
  };
  constexpr std::array kOfExporters{
      Each{"ENDPOINT", "none: nothing is sent",
           "URL of the collector; over HTTP the common one gets /v1/traces and the like behind it"},
      Each{"PROTOCOL", "http/protobuf", "http/protobuf or grpc"},
      Each{"HEADERS", "none", "NAME=VALUE with commas, sent with each request", true},
      Each{"TIMEOUT", "10s", "for an answer of the collector"},
      Each{"COMPRESSION", "none", "none or gzip"},
      Each{"CERTIFICATE", "those of the system", "file of the authorities that are trusted, PEM"},
      Each{"CLIENT_KEY", "none", "file of the client's key, PEM"},
      Each{"CLIENT_CERTIFICATE", "none", "file of the client's certificate, PEM"},
  };
  for (const Each& each : kOfExporters) {
    all.push_back({fmt::format("OTEL_EXPORTER_OTLP_{}", each.name), each.fallback, each.meaning,
                   each.is_secret});
  }
  for (const std::string_view signal : kUpperNames) {
    all.push_back(
        {fmt::format("OTEL_{}_EXPORTER", signal), "otlp", "otlp, or none: that is not sent"});
    for (const Each& each : kOfExporters) {
      all.push_back({fmt::format("OTEL_EXPORTER_OTLP_{}_{}", signal, each.name), "the common one",
                     each.meaning, each.is_secret});
    }
  }
  return all;
}

// Reads variables; what it cannot use it tells and leaves out.
class Reader {
 public:
  Reader(const GetVariable& get, std::vector<std::string>& warnings)
      : get_(get), warnings_(warnings) {}

  std::string_view text(const std::string& name) const {
    const char* value = get_(name.c_str());
    return value ? value : "";
  }

  // One of `known`; else the first of them.
  std::string_view choice(const std::string& name, std::span<const std::string_view> known) {
    const auto value = text(name);
    if (value.empty()) return known.front();
    const auto found = std::find(known.begin(), known.end(), value);
    if (found != known.end()) return *found;
    leave_out(name, fmt::format("known are {}; {} is used", fmt::join(known, ", "), known.front()));
    return known.front();
  }

  template <typename Number>
  Number number(const std::string& name, Number fallback, Number least, Number most) {
    const auto value = text(name);
    if (value.empty()) return fallback;
    Number number{};
    const auto read = std::from_chars(value.data(), value.data() + value.size(), number);
    if (read.ec == std::errc() && read.ptr == value.data() + value.size() && number >= least &&
        number <= most) {
      return number;
    }
    leave_out(name, fmt::format("a number from {} to {} was expected; {} is used", least, most,
                                fallback));
    return fallback;
  }

  void leave_out(const std::string& name, std::string_view why) {
    auto text = fmt::format("{} is left out: {}", name, why);
    if (std::find(warnings_.begin(), warnings_.end(), text) == warnings_.end()) {
      warnings_.push_back(std::move(text));
    }
  }

 private:
  const GetVariable& get_;
  std::vector<std::string>& warnings_;
};

void read_queue(Reader& reader, std::string_view processor, OtelSettings::Queue& queue) {
  const auto name = [&](const char* what) { return fmt::format("OTEL_{}_{}", processor, what); };
  constexpr std::size_t kMost = 1'000'000;
  queue.capacity = reader.number(name("MAX_QUEUE_SIZE"), queue.capacity, std::size_t{1}, kMost);
  queue.batch = std::min(queue.capacity, reader.number(name("MAX_EXPORT_BATCH_SIZE"), queue.batch,
                                                       std::size_t{1}, kMost));
  queue.delay = std::chrono::milliseconds(
      reader.number<std::int64_t>(name("SCHEDULE_DELAY"), queue.delay.count(), 1, 3'600'000));
}

void read_sampler(Reader& reader, OtelSettings& settings) {
  const double ratio = reader.number("OTEL_TRACES_SAMPLER_ARG", 0.01, 0.0, 1.0);
  settings.records = Sampler(ratio, true);
  const auto name = reader.text("OTEL_TRACES_SAMPLER");
  if (name.empty()) return;
  const auto sampler = sampler_of(name, ratio);
  if (!sampler) {
    reader.leave_out("OTEL_TRACES_SAMPLER",
                     "known are always_on, always_off and traceidratio, each also behind "
                     "parentbased_");
    return;
  }
  settings.records = settings.requests = *sampler;
}

// The values of NAME=VALUE with commas.
void add_values(std::string_view headers, std::vector<std::string>& values) {
  while (!headers.empty()) {
    const auto end = headers.find(',');
    const auto header = headers.substr(0, end);
    const auto equals = header.find('=');
    if (equals != std::string_view::npos && equals + 1 < header.size()) {
      values.emplace_back(header.substr(equals + 1));
    }
    headers = end == std::string_view::npos ? "" : headers.substr(end + 1);
  }
}

}  // namespace

std::string_view name(Signal signal) {
  return kNames[static_cast<std::size_t>(signal)];
}

std::span<const OtelVariable> otel_variables() {
  static const std::vector<OtelVariable> all = make_variables();
  return all;
}

OtelSettings read_otel(const GetVariable& get) {
  constexpr std::array<std::string_view, 2> kProtocols{"http/protobuf", "grpc"};
  constexpr std::array<std::string_view, 2> kExporters{"otlp", "none"};
  constexpr std::array<std::string_view, 2> kSwitch{"false", "true"};
  OtelSettings settings;
  Reader reader(get, settings.warnings);
  if (reader.choice("OTEL_SDK_DISABLED", kSwitch) == "true") return settings;
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    const std::string own = fmt::format("OTEL_EXPORTER_OTLP_{}_", kUpperNames[i]);
    const std::string common = "OTEL_EXPORTER_OTLP_";
    auto endpoint = reader.text(own + "ENDPOINT");
    if (endpoint.empty()) endpoint = reader.text(common + "ENDPOINT");
    if (endpoint.empty()) continue;
    const auto exporter =
        reader.choice(fmt::format("OTEL_{}_EXPORTER", kUpperNames[i]), kExporters);
    if (exporter == "none") continue;
    const bool has_own = !reader.text(own + "PROTOCOL").empty();
    settings.is_on[i] = true;
    settings.uses_grpc[i] =
        reader.choice((has_own ? own : common) + "PROTOCOL", kProtocols) == "grpc";
    if (settings.endpoint.empty()) settings.endpoint = endpoint;
    add_values(reader.text(own + "HEADERS"), settings.secrets);
  }
  if (!settings.is_any_on()) return settings;
  add_values(reader.text("OTEL_EXPORTER_OTLP_HEADERS"), settings.secrets);
  read_sampler(reader, settings);
  read_queue(reader, "BSP", settings.spans);
  read_queue(reader, "BLRP", settings.lines);
  settings.metrics_every = std::chrono::milliseconds(reader.number<std::int64_t>(
      "OTEL_METRIC_EXPORT_INTERVAL", settings.metrics_every.count(), 1, 86'400'000));
  settings.most_links = reader.number("OTEL_SPAN_LINK_COUNT_LIMIT", settings.most_links,
                                      std::size_t{0}, std::size_t{1'000});
  constexpr std::array<std::string_view, 2> kPropagators{"tracecontext", "none"};
  constexpr std::array<std::string_view, 1> kTemporality{"cumulative"};
  constexpr std::array<std::string_view, 1> kAggregation{"explicit_bucket_histogram"};
  reader.choice("OTEL_PROPAGATORS", kPropagators);
  reader.choice("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", kTemporality);
  reader.choice("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", kAggregation);
  return settings;
}

}  // namespace dwell
