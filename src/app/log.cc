#include "app/log.h"

#include <csignal>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

namespace dwell {

void log_to_stderr() {
  // Whoever reads the log may leave and come again; the service goes on.
  std::signal(SIGPIPE, SIG_IGN);
  auto log = spdlog::stderr_color_mt("dwell");
  log->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %^%l%$ %v", spdlog::pattern_time_type::utc);
  spdlog::set_default_logger(log);
}

}  // namespace dwell
