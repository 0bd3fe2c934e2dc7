#include "app/process/repeat_filter.h"

#include <algorithm>
#include <fmt/format.h>
#include <string_view>
#include <utility>

namespace dwell {
namespace {

using spdlog::details::log_msg;

constexpr std::chrono::seconds kEvery{10};
constexpr std::size_t kMostLines = 256;
constexpr std::size_t kCompared = 4'096;  // bytes of a line: no more is shown of it
constexpr std::size_t kCounted = 600;  // bytes that are shown with a count, which is not cut then

}  // namespace

void RepeatFilter::sink_it_(const log_msg& message) {
  const auto now = clock_.monotonic();
  const auto is_due = [now](const Known& one) { return now - one.passed >= kEvery; };
  std::erase_if(known_, [&](const Known& one) { return is_due(one) && one.held_back == 0; });

  const auto text =
      std::string_view(message.payload.data(), message.payload.size()).substr(0, kCompared);
  const auto same = std::find_if(known_.begin(), known_.end(), [&](const Known& one) {
    return one.level == message.level && one.text == text;
  });
  const bool is_repeated = same != known_.end();
  if (is_repeated) {
    ++same->held_back;
    if (same->context.task != log_context().task) same->context.task.clear();
    if (same->context.span != log_context().span) same->context.span.reset();
  }
  for (Known& one : known_) {
    if (is_due(one)) tell_count(one, now);
  }
  if (is_repeated) return;
  if (known_.size() == kMostLines) make_room(now);
  known_.push_back({message.level, std::string(text), log_context(), now});
  dist_sink::sink_it_(message);
}

void RepeatFilter::flush_() {
  const auto now = clock_.monotonic();
  for (Known& one : known_) {
    if (one.held_back > 0) tell_count(one, now);
  }
  dist_sink::flush_();
}

void RepeatFilter::tell_count(Known& one, std::chrono::nanoseconds now) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(now - one.passed).count();
  const auto line =
      fmt::format("{}{} ({} {} more in {} s)", one.text.substr(0, kCounted),
                  one.text.size() > kCounted ? "..." : "", one.held_back,
                  one.held_back == 1 ? "time" : "times", std::max<std::int64_t>(seconds, 1));
  one.passed = now;
  one.held_back = 0;
  LogContext mine = std::exchange(log_context(), one.context);
  dist_sink::sink_it_(log_msg({}, one.level, line));
  log_context() = std::move(mine);
}

void RepeatFilter::make_room(std::chrono::nanoseconds now) {
  const auto first =
      std::min_element(known_.begin(), known_.end(), [](const Known& a, const Known& b) {
        return std::pair(a.level, a.passed) < std::pair(b.level, b.passed);
      });
  if (first->held_back > 0) tell_count(*first, now);
  known_.erase(first);
}

}  // namespace dwell
