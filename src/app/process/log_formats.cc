#include "app/process/log_formats.h"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <climits>
#include <fmt/chrono.h>
#include <spdlog/pattern_formatter.h>
#include <string>
#include <string_view>

#include "app/process/log_context.h"
#include "base/printable.h"

namespace dwell {
namespace {

using spdlog::details::log_msg;

constexpr std::size_t kAround = 512;  // bytes of a line besides its message, and more
constexpr std::size_t kLongestMessage = PIPE_BUF - kAround;

// Where ids are in a traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.
constexpr std::size_t kTraceAt = 3, kTraceDigits = 32, kSpanAt = 36, kSpanDigits = 16;

std::string text_of(const log_msg& message) {
  return printable({message.payload.data(), message.payload.size()});
}

class PrintableText final : public spdlog::custom_flag_formatter {
 public:
  void format(const log_msg& message, const std::tm&, spdlog::memory_buf_t& out) override {
    const auto text = text_of(message);
    out.append(text.data(), text.data() + text.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<PrintableText>();
  }
};

// What of a printable text takes at most `most` bytes between the quotes of JSON.
std::string cut(std::string text, std::size_t most) {
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    bytes += text[i] == '"' || text[i] == '\\' ? 2 : 1;
    if (bytes <= most) continue;
    while (i > 0 && (static_cast<unsigned char>(text[i]) & 0xc0) == 0x80) --i;
    return text.substr(0, i) + "...";
  }
  return text;
}

std::string utc(spdlog::log_clock::time_point time) {
  const auto ms = std::chrono::floor<std::chrono::milliseconds>(time);
  const auto seconds = std::chrono::floor<std::chrono::seconds>(ms);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z",
                     fmt::gmtime(spdlog::log_clock::to_time_t(seconds)), (ms - seconds).count());
}

class JsonLines final : public spdlog::formatter {
 public:
  void format(const log_msg& message, spdlog::memory_buf_t& out) override {
    const auto level = spdlog::level::to_string_view(message.level);
    boost::json::object line{{"time", utc(message.time)},
                             {"level", boost::json::string_view(level.data(), level.size())},
                             {"message", cut(text_of(message), kLongestMessage)}};
    const auto& [task, span] = log_context();
    if (!task.empty()) line["task"] = task;
    if (span) {
      const auto text = format_traceparent(*span);
      line["trace_id"] = text.substr(kTraceAt, kTraceDigits);
      line["span_id"] = text.substr(kSpanAt, kSpanDigits);
    }
    const auto text = boost::json::serialize(line) + '\n';
    out.append(text.data(), text.data() + text.size());
  }
  std::unique_ptr<formatter> clone() const override { return std::make_unique<JsonLines>(); }
};

}  // namespace

std::unique_ptr<spdlog::formatter> text_lines() {
  auto lines = std::make_unique<spdlog::pattern_formatter>(spdlog::pattern_time_type::utc);
  lines->add_flag<PrintableText>('*').set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %*");
  return lines;
}

std::unique_ptr<spdlog::formatter> json_lines() {
  return std::make_unique<JsonLines>();
}

}  // namespace dwell
