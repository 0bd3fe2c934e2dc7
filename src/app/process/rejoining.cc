#include "app/process/rejoining.h"

#include <algorithm>
#include <spdlog/spdlog.h>

#include "app/settings/units.h"

namespace dwell {
namespace {

constexpr Milliseconds kFirstWait{200};  // before joining again
constexpr Milliseconds kLongestWait{5'000};
constexpr Milliseconds kWasWell{30'000};  // a membership that lasted so long

bool may_try_again(ErrorKind kind) {
  return kind != ErrorKind::invalid && kind != ErrorKind::fatal;
}

}  // namespace

Result<void> keep_joining(const std::string& task, const std::stop_token& stop, Clock& clock,
                          HealthBoard& board, const std::function<Result<void>()>& once) {
  Milliseconds pause = kFirstWait;
  std::string told;  // the last cause: said once while it lasts
  for (;;) {
    const auto start = clock.monotonic();
    auto done = once();
    if (done || stop.stop_requested()) {  // what is not committed is read again
      board.set(task, "");
      return {};
    }
    const ErrorKind kind = done.error().kind;
    if (!may_try_again(kind)) return done;
    if (clock.monotonic() - start > kWasWell) {
      pause = kFirstWait;
      told.clear();
    }
    const auto cause =
        done.error().message +
        (kind == ErrorKind::not_found ? "; `dwell topics create` makes what is missing" : "");
    if (cause != told) spdlog::warn("{}; trying again in {}", cause, format_duration(pause));
    told = cause;
    board.set(task, cause);
    clock.sleep(pause, stop);
    pause = std::min(pause * 2, kLongestWait);
  }
}

}  // namespace dwell
