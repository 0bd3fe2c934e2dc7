#include "app/terminal/progress.h"

#include <cstdio>
#include <fmt/format.h>

#include "app/settings/units.h"
#include "app/terminal/output.h"

namespace dwell {
namespace {

constexpr std::chrono::milliseconds kRedraw{100};
constexpr std::chrono::seconds kLineEvery{5};
constexpr std::size_t kBarColumns = 24;
constexpr std::string_view kEraseLine = "\r\x1b[K";

std::string bar(double share, bool has_unicode) {
  const auto full = static_cast<std::size_t>(share * kBarColumns);
  std::string text = "[";
  for (std::size_t i = 0; i < kBarColumns; ++i) {
    text += i < full ? (has_unicode ? "█" : "#") : (has_unicode ? "·" : ".");
  }
  return text + "]";
}

}  // namespace

Progress::Progress(const Terminal& terminal, Clock& clock) : terminal_(terminal), clock_(clock) {}

void Progress::begin_file(const std::string& name, std::span<const Position> committed,
                          std::uint64_t done, std::uint64_t size) {
  name_ = printable(name);
  reached_.clear();
  for (const Position& position : committed) reached_[position.source] = position.next;
  size_ = size;
  start_ = done_ = done;
  records_ = 0;
  began_ = shown_ = clock_.monotonic();
}

void Progress::end_file() {
  show(true);
}

void Progress::observe(const Observation& observation) {
  if (const auto* done = std::get_if<Committed>(&observation)) {
    for (const Partition& partition : done->folds) {
      if (partition.unit) committed(*partition.unit);
    }
  } else if (const auto* retrying = std::get_if<Retrying>(&observation)) {
    say(fmt::format("dwell: {}; trying again in {}", retrying->error.message,
                    format_duration(retrying->wait)));
  } else if (const auto* back = std::get_if<WentBack>(&observation)) {
    say(fmt::format("dwell: {}; went back to the last commit", back->cause.message));
  }
}

void Progress::committed(const Unit& unit) {
  records_ += unit.records.size();
  for (const Position& position : unit.positions) {
    Offset& reached = reached_[position.source];
    done_ += static_cast<std::uint64_t>(position.next - std::exchange(reached, position.next));
  }
  const auto since = clock_.monotonic() - shown_;
  if (since >= (terminal_.is_terminal ? std::chrono::nanoseconds(kRedraw) : kLineEvery)) {
    show(false);
  }
}

void Progress::show(bool is_final) {
  shown_ = clock_.monotonic();
  const double seconds = std::max(1e-3, std::chrono::duration<double>(shown_ - began_).count());
  const double bytes_per_second = static_cast<double>(done_ - start_) / seconds;
  const auto events_per_second =
      static_cast<std::uint64_t>(static_cast<double>(records_) / seconds);

  std::string line = fmt::format("{}  {}", name_, format_size(done_));
  if (size_ > 0) {
    const double share = std::min(1.0, static_cast<double>(done_) / static_cast<double>(size_));
    if (terminal_.is_terminal) line += "  " + bar(share, terminal_.has_unicode);
    line += fmt::format("  {:3.0f} %", share * 100);
  }
  line += fmt::format("  {} events/s", format_count(events_per_second));
  if (!is_final && size_ > done_ && bytes_per_second > 0) {
    const double left = static_cast<double>(size_ - done_) / bytes_per_second;
    line +=
        fmt::format("  {} left", format_span(Milliseconds{static_cast<std::int64_t>(left * 1000)}));
  }
  if (records_ == 0 && is_final) line = name_ + "  nothing new";
  if (!terminal_.is_terminal) {
    tell(line + '\n');
  } else {
    tell(fmt::format("{}{}{}", kEraseLine, line, is_final ? "\n" : ""));
  }
}

void Progress::say(const std::string& line) {
  tell(fmt::format("{}{}\n", terminal_.is_terminal ? kEraseLine : "", printable(line)));
}

}  // namespace dwell
