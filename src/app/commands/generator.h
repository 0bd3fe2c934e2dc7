#pragma once

#include <cstdint>
#include <functional>
#include <queue>
#include <string>
#include <tuple>
#include <vector>

#include "core/event.h"

namespace dwell {

// Shares are per cent of all events.
struct GeneratorOptions {
  std::uint64_t events = 10'000;
  std::uint32_t devices = 100;
  std::uint64_t seed = 1;
  Timestamp start = from_ms(1'751'932'800'000);  // 2025-07-08T00:00:00Z
  double rate = 10;                              // events of all devices per second
  double repeats = 5;                            // an enter while inside or an exit while outside
  double heartbeats = 3;                         // another event type
  double disorder = 0;                           // sent late, by up to `delay`
  double redelivery = 0;                         // sent a second time, within `delay`
  double garbage = 0;                            // not a usable event
  Milliseconds delay = std::chrono::seconds(30);
  Milliseconds skew{0};  // each device's clock is off by a fixed amount up to this
};

// A seeded stream of device events as they would reach a broker: the same options give the same
// bytes on every machine. Holds at most the events within one `delay`.
class Generator {
 public:
  explicit Generator(const GeneratorOptions& options);

  // Appends the next record and a newline to `out`; false when all were given.
  bool next(std::string& out);

 private:
  struct Pending {
    std::int64_t arrival_ms;
    std::uint64_t number;  // keeps events of one moment in order
    std::string line;
    bool operator>(const Pending& other) const {
      return std::tie(arrival_ms, number) > std::tie(other.arrival_ms, other.number);
    }
  };

  std::uint64_t random();
  std::uint64_t random_below(std::uint64_t bound) { return random() % bound; }
  bool happens(double percent);
  void produce();
  std::string garbage_line(std::string_view good);
  void send(std::int64_t arrival_ms, std::string line);

  GeneratorOptions options_;
  std::uint64_t state_;
  std::uint64_t made_ = 0;
  std::uint64_t sent_ = 0;
  std::int64_t now_ms_ = 0;
  std::vector<bool> is_inside_;
  std::vector<std::int64_t> skew_ms_;
  std::priority_queue<Pending, std::vector<Pending>, std::greater<>> pending_;
};

}  // namespace dwell
