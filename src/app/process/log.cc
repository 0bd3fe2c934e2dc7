#include "app/process/log.h"

#include <csignal>
#include <mutex>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include "app/process/log_formats.h"
#include "app/process/repeat_filter.h"
#include "app/process/system_clock.h"
#include "app/terminal/stderr_line.h"
#include "app/terminal/terminal.h"
#include "base/printable.h"
#include "telemetry/telemetry.h"

namespace dwell {
namespace {

using spdlog::details::log_msg;
namespace level = spdlog::level;

// Lines that nobody takes are counted instead of waited for, and the count is told once somebody
// reads again.
class StderrSink final : public spdlog::sinks::base_sink<std::mutex> {
 protected:
  void sink_it_(const log_msg& message) override {
    if (untold_ > 0) {
      const auto told = fmt::format("{} lines of the log could not be written here", untold_);
      if (write(log_msg({}, level::warn, told))) untold_ = 0;
    }
    if (untold_ > 0 || !write(message)) ++untold_;
  }
  void flush_() override {}

 private:
  bool write(const log_msg& message) {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    return write_line_to_stderr({line.data(), line.size()});
  }

  std::uint64_t untold_ = 0;
};

// Of the one log of the process.
bool is_json = false;
level::level_enum level_as_set = level::info;

level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return level::debug;
    case LogLevel::info:
      return level::info;
    case LogLevel::warning:
      return level::warn;
    case LogLevel::error:
      return level::err;
  }
  return level::info;
}

std::unique_ptr<spdlog::formatter> lines() {
  return is_json ? json_lines() : text_lines();
}

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
    telemetry_->add(LogLine{message.time, level_of(message.level), std::string(text),
                            log_context().span.value_or(TraceContext())});
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

Log::Log(const LogOptions& options) {
  // Whoever reads the log may leave and come again; the service goes on.
  std::signal(SIGPIPE, SIG_IGN);
  is_json = options.format == LogFormat::json ||
            (options.format == LogFormat::automatic && !Terminal::of(stderr).is_terminal);
  level_as_set = spdlog_level(options.level);
  static SystemClock clock;
  const std::vector<spdlog::sink_ptr> sinks{std::make_shared<StderrSink>(), telemetry_sink()};
  const auto log =
      std::make_shared<spdlog::logger>("dwell", std::make_shared<RepeatFilter>(clock, sinks));
  log->set_formatter(lines());
  log->set_level(level_as_set);
  spdlog::set_default_logger(log);
}

Log::~Log() {
  spdlog::default_logger()->flush();
}

void switch_debug() {
  const auto log = spdlog::default_logger();
  if (log->level() != level::debug) {
    log->set_level(level::debug);
    log->info("log level debug; the next SIGUSR1 goes back");
  } else {
    log->info("log level {}", level::to_string_view(level_as_set));
    log->flush();  // what it counted at debug
    log->set_level(level_as_set);
  }
}

bool tell_in_json_log(std::string_view message) {
  if (is_json) spdlog::error("{}", message);
  return is_json;
}

std::string warning_line(std::string_view text, std::chrono::system_clock::time_point time) {
  spdlog::memory_buf_t line;
  lines()->format(log_msg(time, {}, {}, level::warn, {text.data(), text.size()}), line);
  return {line.data(), line.size()};
}

}  // namespace dwell
