#pragma once

#include <chrono>
#include <mutex>
#include <spdlog/sinks/dist_sink.h>
#include <string>
#include <vector>

#include "app/process/log_context.h"
#include "ports/clock.h"

namespace dwell {

// Stands in front of the sinks of a log. The same line, of one level and text, passes at once, and
// then at most every 10 s, with the count of those that were held back meanwhile:
//   brokers: no answer (37 times more in 10 s)
// A count is told with the first line of any kind after the 10 s, or by flush(). It remembers at
// most 256 lines; the least grave go first, of them the oldest, with their count.
class RepeatFilter final : public spdlog::sinks::dist_sink<std::mutex> {
 public:
  // Borrows `clock`.
  RepeatFilter(Clock& clock, std::vector<spdlog::sink_ptr> sinks)
      : dist_sink(std::move(sinks)), clock_(clock) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override;
  void flush_() override;

 private:
  struct Known {
    spdlog::level::level_enum level;
    std::string text;
    LogContext context;               // empty where lines of several were the same
    std::chrono::nanoseconds passed;  // when it did, for the last time
    std::uint64_t held_back = 0;      // since then
  };

  void tell_count(Known& one, std::chrono::nanoseconds now);
  void make_room(std::chrono::nanoseconds now);

  Clock& clock_;
  std::vector<Known> known_;
};

}  // namespace dwell
