#include "app/process/graceful_stop.h"

#include <array>
#include <atomic>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>
#include <cstdlib>
#include <spdlog/spdlog.h>
#include <sys/time.h>

#include "app/process/log.h"
#include "app/process/signals.h"
#include "app/terminal/exit_status.h"
#include "app/terminal/stderr_line.h"
#include "http/wire/server.h"

namespace dwell {
namespace {

namespace asio = boost::asio;

constexpr std::chrono::seconds kDrain{3};  // for requests in flight, once asked to stop
constexpr int kNone = -1;
constexpr std::chrono::milliseconds kLastWords{200};  // for connections to notice their end

std::atomic<int> status_of_late_end{kNone};
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler reads it");
// What the handler writes: no string, which ends before the last moment of the process.
std::array<char, 512> line_of_late_end;
std::size_t length_of_line = 0;

extern "C" void end_late(int) {
  (void)write_line_to_stderr({line_of_late_end.data(), length_of_line});
  std::_Exit(status_of_late_end);
}

}  // namespace

asio::awaitable<void> stop_on_signal(asio::io_context& context, Server& server) {
  co_await first_signal();
  end_within(kLongestStop, 0);
  server.stop();
  asio::steady_timer timer(context);
  const auto deadline = std::chrono::steady_clock::now() + kDrain;
  while (!server.is_drained() && std::chrono::steady_clock::now() < deadline) {
    timer.expires_after(std::chrono::milliseconds(10));
    co_await timer.async_wait(asio::use_awaitable);
  }
  context.stop();
}

void stop_because(const Error& reason, asio::io_context& context) {
  spdlog::error("{}; ending", reason.message);
  end_within(kLongestStop, exit_status(reason));
  context.stop();
}

void end_connections(asio::io_context& context, Server& server) {
  context.restart();
  // Inside the context: from outside, a handler would be cancelled after its connection has ended
  // and gone.
  asio::post(context, [&server] { server.abort(); });
  context.run_for(kLastWords);
}

void end_within(std::chrono::milliseconds patience, int status) {
  int none = kNone;
  if (!status_of_late_end.compare_exchange_strong(none, status)) return;
  const auto line =
      warning_line("the stop took too long and was cut short; what was committed is safe",
                   std::chrono::system_clock::now() + patience);
  length_of_line = line.copy(line_of_late_end.data(), line_of_late_end.size());
  std::signal(SIGALRM, end_late);
  const itimerval once{{0, 0}, {patience.count() / 1'000, patience.count() % 1'000 * 1'000}};
  ::setitimer(ITIMER_REAL, &once, nullptr);
}

void call_off_end() {
  const itimerval never{};
  ::setitimer(ITIMER_REAL, &never, nullptr);
  status_of_late_end = kNone;
}

}  // namespace dwell
