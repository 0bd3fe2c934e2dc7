// bench_state_memory DEVICES: prints the bytes of state a device takes in arrival order, as the
// fold counts them and as the heap grew.

#include <cstdio>
#include <cstdlib>
#include <fmt/format.h>
#include <malloc.h>
#include <string>
#include <vector>

#include "core/fold.h"

namespace {

constexpr std::size_t kBatch = 10'000;  // records a fold

std::size_t heap_bytes() {
  const auto info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

// A full turn of events: every device gets one.
void fold_one_each(dwell::Fold& fold, std::size_t devices, std::int64_t turn) {
  std::vector<std::string> lines;
  std::vector<dwell::Record> records;
  for (std::size_t start = 0; start < devices; start += kBatch) {
    lines.clear();
    records.clear();
    for (std::size_t device = start; device < std::min(start + kBatch, devices); ++device) {
      lines.push_back(
          fmt::format(R"({{"device_id": "cam-{:06}", "event_type": "device_{}", "timestamp": {}}})",
                      device, turn % 2 == 0 ? "enter" : "exit", 1'751'932'800'000 + turn));
    }
    for (const std::string& line : lines) records.push_back({line, 0, 0, dwell::kLatest, 0});
    fold.fold(records, {});
  }
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) {
    std::fprintf(stderr, "usage: bench_state_memory DEVICES\n");
    return 2;
  }
  const auto devices = static_cast<std::size_t>(std::atoll(arguments[1]));
  const std::size_t before = heap_bytes();
  dwell::Fold fold(dwell::Rule{}, 7);
  // Enough for every window of accepted events to be full.
  for (std::int64_t turn = 0; turn < 5; ++turn) fold_one_each(fold, devices, turn);
  const std::size_t after = heap_bytes();
  const auto per_device = [&](std::size_t bytes) {
    return static_cast<double>(bytes) / static_cast<double>(devices);
  };
  std::printf("{\"counted\": %.1f, \"heap\": %.1f}\n", per_device(fold.state_bytes()),
              per_device(after - before));
}
