#include "app/log.h"

#include <csignal>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include "base/printable.h"

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

}  // namespace

void log_to_stderr() {
  // Whoever reads the log may leave and come again; the service goes on.
  std::signal(SIGPIPE, SIG_IGN);
  auto log = spdlog::stderr_color_mt("dwell");
  auto lines = std::make_unique<spdlog::pattern_formatter>(spdlog::pattern_time_type::utc);
  lines->add_flag<PrintableText>('*').set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %^%l%$ %*");
  log->set_formatter(std::move(lines));
  spdlog::set_default_logger(log);
}

}  // namespace dwell
