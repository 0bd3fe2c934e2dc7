#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "app/settings/log_options.h"

namespace dwell {

class Telemetry;

// The log of a process that serves: what spdlog is told, from any thread, becomes lines on standard
// error, in UTC with milliseconds, the same one at most every 10 s. It waits for no reader. When it
// ends, it tells what it counted of lines that were the same; what is told later still comes out.
// One in a process.
class Log {
 public:
  explicit Log(const LogOptions& options);
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;
};

// What the clients of a command that ends by itself say is for people, as its own messages are.
inline constexpr LogOptions kMessages{LogFormat::text, LogLevel::info};

// To debug and, the next time, back to the level that was set. The log says so.
void switch_debug();

// Why the process ends, where its log is of JSON lines and nothing else may stand between them.
// False: it is not, and nobody was told.
bool tell_in_json_log(std::string_view message);

// A warning as the log would write it at `time`, for a signal handler, which may not format one.
std::string warning_line(std::string_view text, std::chrono::system_clock::time_point time);

// Hands each line to it as well, from now on; null: to nobody. Borrows it.
void send_log_to(Telemetry* telemetry);

}  // namespace dwell
