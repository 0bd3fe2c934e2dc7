#include "telemetry/telemetry.h"

#include <dlfcn.h>
#include <filesystem>
#include <fmt/format.h>

#include "base/mask.h"

namespace dwell {
namespace {

constexpr const char* kLibrary = "libdwell_otlp.so";

std::atomic<bool> any_is_left_behind = false;

}  // namespace

Result<MakeExporter> find_exporter() {
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  const auto beside = program.parent_path();
  std::string why;
  for (const auto& path : {beside / kLibrary, beside / "../lib/dwell" / kLibrary}) {
    if (!std::filesystem::exists(path, error)) continue;
    void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    void* function = library ? dlsym(library, kOtlpFunction) : nullptr;
    if (function) return reinterpret_cast<MakeExporter>(function);
    why = fmt::format("{}: {}", path.string(), dlerror());
  }
  if (why.empty()) {
    why = fmt::format(
        "{} is not beside this program: it is built where the package opentelemetry-cpp-dev is",
        kLibrary);
  }
  return fail(ErrorKind::invalid, "{}", why);
}

// Sends all metrics each `every`, and once more at the end.
class Telemetry::MetricsCourier {
 public:
  MetricsCourier(std::chrono::milliseconds every, std::function<bool()> send)
      : every_(every),
        send_(std::move(send)),
        thread_([this](std::unique_lock<std::mutex>& lock) { run(lock); }) {}

  // As of a Courier.
  bool end(std::chrono::steady_clock::time_point deadline) { return thread_.end(deadline); }
  std::uint64_t dropped() const { return dropped_; }

 private:
  void run(std::unique_lock<std::mutex>& lock) {
    bool is_last = false;
    while (!is_last) {
      is_last = thread_.wait(lock, every_, [] { return false; });
      lock.unlock();
      if (!send_()) ++dropped_;
      lock.lock();
    }
  }

  const std::chrono::milliseconds every_;
  const std::function<bool()> send_;
  std::atomic<std::uint64_t> dropped_ = 0;
  EndingThread thread_;  // last: it uses the rest
};

Result<std::unique_ptr<Telemetry>> Telemetry::start(const OtelSettings& settings, Process process) {
  const auto make = find_exporter();
  if (!make) return pass(make);
  ExporterOptions options;
  options.uses_grpc_for_spans = settings.uses_grpc[0];
  options.uses_grpc_for_metrics = settings.uses_grpc[1];
  options.uses_grpc_for_logs = settings.uses_grpc[2];
  options.resource = process.resource;
  std::unique_ptr<TelemetryExporter> exporter((*make)(options));
  return std::make_unique<Telemetry>(settings, std::move(process), std::move(exporter));
}

Telemetry::Telemetry(const OtelSettings& settings, Process process,
                     std::unique_ptr<TelemetryExporter> exporter)
    : settings_(settings), process_(std::move(process)), exporter_(std::move(exporter)) {
  for (auto& is_well : is_well_) is_well = true;
  if (settings.has(Signal::traces)) {
    spans_ = std::make_unique<Courier<Span>>(settings.spans, [this](std::span<const Span> spans) {
      return told(Signal::traces, exporter_->send(spans));
    });
  }
  if (settings.has(Signal::logs)) {
    lines_ =
        std::make_unique<Courier<LogLine>>(settings.lines, [this](std::span<const LogLine> lines) {
          return told(Signal::logs, exporter_->send(lines));
        });
  }
  if (settings.has(Signal::metrics)) {
    metrics_ = std::make_unique<MetricsCourier>(settings.metrics_every, [this] {
      const auto families = process_.metrics();
      const auto sent = told(Signal::metrics, exporter_->send(families, started_));
      return sent.kind == Sent::Kind::ok;
    });
  }
}

Telemetry::~Telemetry() = default;

bool Telemetry::end(std::unique_ptr<Telemetry> telemetry, std::chrono::milliseconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  // All of them, so that none waits for another.
  bool is_done = true;
  if (telemetry->metrics_) is_done &= telemetry->metrics_->end(deadline);
  if (telemetry->spans_) is_done &= telemetry->spans_->end(deadline);
  if (telemetry->lines_) is_done &= telemetry->lines_->end(deadline);
  telemetry->is_over_ = true;
  if (is_done) return true;
  (void)telemetry.release();  // a thread is in it
  any_is_left_behind = true;
  return false;
}

bool Telemetry::is_left_behind() {
  return any_is_left_behind;
}

bool Telemetry::takes_span() {
  if (!spans_) return false;
  if (spans_->has_room()) return true;
  spans_->drop();
  return false;
}

void Telemetry::add(Span span) {
  if (spans_) spans_->add(std::move(span));
}

void Telemetry::add(LogLine line) {
  if (lines_) lines_->add(std::move(line));
}

std::uint64_t Telemetry::dropped(Signal signal) const {
  switch (signal) {
    case Signal::traces:
      return spans_ ? spans_->dropped() : 0;
    case Signal::metrics:
      return metrics_ ? metrics_->dropped() : 0;
    case Signal::logs:
      return lines_ ? lines_->dropped() : 0;
  }
  return 0;
}

Sent Telemetry::told(Signal signal, Sent sent) {
  const bool is_well = sent.kind == Sent::Kind::ok;
  const bool was_well = is_well_[static_cast<std::size_t>(signal)].exchange(is_well);
  if (is_well == was_well || is_over_) return sent;
  if (is_well) {
    process_.tell(true, fmt::format("{} get through to the collector again", name(signal)));
    return sent;
  }
  process_.tell(false,
                fmt::format("{} do not get through to the collector at {}: {}; what is dropped is "
                            "counted in dwell_telemetry_dropped_total",
                            name(signal), masked(settings_.endpoint, settings_.secrets),
                            masked(sent.why, settings_.secrets)));
  return sent;
}

}  // namespace dwell
