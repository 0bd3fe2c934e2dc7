#include "app/process/log.h"

#include <csignal>
#include <mutex>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include "app/terminal/stderr_line.h"
#include "base/printable.h"
#include "telemetry/telemetry.h"

namespace dwell {
namespace {

// The text of a line. Names of files and words of others are in it: none may end the line, forge
// another one or write over it.
class PrintableText final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&,
              spdlog::memory_buf_t& out) override {
    const auto text = printable({message.payload.data(), message.payload.size()});
    out.append(text.data(), text.data() + text.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<PrintableText>();
  }
};

// Lines that nobody takes are counted instead of waited for, and the count is told once somebody
// reads again.
class StderrSink final : public spdlog::sinks::base_sink<std::mutex> {
 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    if (untold_ > 0) {
      const auto told = fmt::format("{} lines of the log could not be written here\n", untold_);
      if (write_line_to_stderr(told)) untold_ = 0;
    }
    const bool is_written = untold_ == 0 && write_line_to_stderr({line.data(), line.size()});
    if (!is_written) ++untold_;
  }
  void flush_() override {}

 private:
  std::uint64_t untold_ = 0;
};

LogLevel level_of(spdlog::level::level_enum level) {
  if (level <= spdlog::level::debug) return LogLevel::debug;
  if (level == spdlog::level::info) return LogLevel::info;
  return level == spdlog::level::warn ? LogLevel::warning : LogLevel::error;
}

// Waits for nobody, as the telemetry does not.
class TelemetrySink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  void send_to(Telemetry* telemetry) {
    const std::lock_guard lock(mutex_);
    telemetry_ = telemetry;
  }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    if (!telemetry_) return;
    const auto text = printable({message.payload.data(), message.payload.size()});
    telemetry_->add(LogLine{message.time, level_of(message.level), std::string(text)});
  }
  void flush_() override {}

 private:
  Telemetry* telemetry_ = nullptr;
};

std::shared_ptr<TelemetrySink> telemetry_sink() {
  static const auto sink = std::make_shared<TelemetrySink>();
  return sink;
}

}  // namespace

void send_log_to(Telemetry* telemetry) {
  telemetry_sink()->send_to(telemetry);
}

void log_to_stderr() {
  // Whoever reads the log may leave and come again; the service goes on.
  std::signal(SIGPIPE, SIG_IGN);
  const auto sink = std::make_shared<StderrSink>();
  auto log =
      std::make_shared<spdlog::logger>("dwell", spdlog::sinks_init_list{sink, telemetry_sink()});
  auto lines = std::make_unique<spdlog::pattern_formatter>(spdlog::pattern_time_type::utc);
  lines->add_flag<PrintableText>('*').set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %*");
  sink->set_formatter(std::move(lines));
  spdlog::set_default_logger(log);
}

}  // namespace dwell
