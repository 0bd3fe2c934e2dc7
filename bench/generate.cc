// generate EVENTS DEVICES SEED: NDJSON on stdout, 90 % accepted (stand-in for `dwell generate`).
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

int main(int, char** arguments) {
  const std::uint64_t events = std::strtoull(arguments[1], nullptr, 10);
  const std::uint64_t devices = std::strtoull(arguments[2], nullptr, 10);
  std::mt19937_64 random(std::strtoull(arguments[3], nullptr, 10));
  std::vector<signed char> last(devices, -1);
  std::uint64_t ms = 1'751'932'800'000;
  for (std::uint64_t i = 0; i < events; ++i) {
    const std::uint64_t device = random() % devices;
    const auto roll = random() % 100;
    const char* type = roll < 2 ? "status_update" : "heartbeat";
    if (roll >= 5) {
      if (roll >= 10 || last[device] < 0) last[device] = last[device] == 0 ? 1 : 0;
      type = last[device] == 0 ? "device_enter" : "device_exit";
    }
    std::printf("{\"device_id\": \"cam-%06" PRIu64
                "\", \"event_type\": \"%s\", \"timestamp\": %" PRIu64 "}\n",
                device, type, ++ms);
  }
}
