#include "app/commands/generator.h"

#include <fmt/format.h>

namespace dwell {

Generator::Generator(const GeneratorOptions& options)
    : options_(options), state_(options.seed), is_inside_(options.devices) {
  if (options_.skew.count() == 0) return;
  const auto range = static_cast<std::uint64_t>(2 * options_.skew.count() + 1);
  for (std::uint32_t i = 0; i < options_.devices; ++i) {
    skew_ms_.push_back(static_cast<std::int64_t>(random_below(range)) - options_.skew.count());
  }
}

// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
std::uint64_t Generator::random() {
  state_ += 0x9e3779b97f4a7c15;
  std::uint64_t z = state_;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

bool Generator::happens(double percent) {
  if (percent <= 0) return false;
  return static_cast<double>(random_below(1'000'000)) < percent * 10'000;
}

bool Generator::next(std::string& out) {
  while (made_ < options_.events && (pending_.empty() || pending_.top().arrival_ms > now_ms_)) {
    produce();
  }
  if (pending_.empty()) return false;
  out += pending_.top().line;
  out += '\n';
  pending_.pop();
  return true;
}

// Makes one event and puts it where it arrives.
void Generator::produce() {
  const auto elapsed = static_cast<double>(made_) * 1000 / options_.rate;
  now_ms_ = to_ms(options_.start) + static_cast<std::int64_t>(elapsed);
  ++made_;
  const auto device = static_cast<std::uint32_t>(random_below(options_.devices));
  const bool is_heartbeat = happens(options_.heartbeats);
  if (!is_heartbeat && !happens(options_.repeats)) is_inside_[device] = !is_inside_[device];
  const auto type = is_inside_[device] ? EventType::enter : EventType::exit;
  const auto timestamp = now_ms_ + (skew_ms_.empty() ? 0 : skew_ms_[device]);
  auto line = fmt::format(R"({{"device_id": "cam-{:06}", "event_type": "{}", "timestamp": {}}})",
                          device, is_heartbeat ? "heartbeat" : wire_name(type), timestamp);
  if (happens(options_.garbage)) line = garbage_line(line);

  const auto delay = [&] {
    return static_cast<std::int64_t>(
        random_below(static_cast<std::uint64_t>(options_.delay.count()) + 1));
  };
  const std::int64_t arrival = now_ms_ + (happens(options_.disorder) ? delay() : 0);
  if (happens(options_.redelivery)) send(arrival + delay(), line);
  send(arrival, std::move(line));
}

void Generator::send(std::int64_t arrival_ms, std::string line) {
  pending_.push({arrival_ms, sent_++, std::move(line)});
}

// The ways real inputs are broken, in turn: cut, no object, no id, no time, binary.
std::string Generator::garbage_line(std::string_view good) {
  switch (random_below(6)) {
    case 0:
      return std::string(good.substr(0, 1 + random_below(good.size() - 1)));
    case 1:
      return "[1, 2, 3]";
    case 2:
      return R"({"device_id": "", "event_type": "device_enter", "timestamp": 1751932800000})";
    case 3:
      return R"({"device_id": "cam-000000", "event_type": "device_exit"})";
    case 4:
      return R"({"device_id": "cam-000000", "event_type": "device_enter", "timestamp": 5.5})";
    default:
      return std::string("\xff\xfe\x00\x01 not json", 13);
  }
}

}  // namespace dwell
